/** Tries again until it does not throw; after `timeoutMs` throws what it threw last. */
export async function retry<T>(attempt: () => T | Promise<T>, timeoutMs = 60_000, pauseMs = 100): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= end) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
