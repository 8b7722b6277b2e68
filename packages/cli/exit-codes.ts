/** What `podway` ends with; commands that run another pass that one's on. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** Bad flags or arguments. */
  usage: 2,
  /** 128 + SIGINT, as a shell reports it. */
  interrupted: 130,
} as const;
