/**
 * The first steps of a container's process 1, in its new mount, pid and uts namespaces: tells its pid as the
 * supervisor sees it, mounts, changes the root, and becomes the program. Descriptor 3 carries `P PID`, then `R` just
 * before the program starts, or `E MESSAGE`. Descriptor 4 is the container's standard error: 2 stays unshare(1)'s own.
 *
 * Arguments: root, fstab, hostname, working directory, PATH, uid (or ''), gid, `--ctty` (or ''), program, then for env(1): variables,
 * program and its arguments.
 */
export const INIT_SCRIPT = `
exec 2>&4 4>&-
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
read -r pid rest </proc/self/stat
printf 'P %s\\n' "$pid" >&3
fail() { printf 'E %s\\n' "$1" >&3; exit 128; }
root=$1 fstab=$2 host=$3 dir=$4 path=$5 uid=$6 gid=$7 tty=$8
shift 8
program=$1
shift
message=$(mount --all --fstab "$fstab" 2>&1) || fail "mounting the root: $message"
hostname "$host" || fail "hostname $host"
cd "$root" || fail "cd $root"
pivot_root . .old || fail pivot_root
umount -l /.old || fail "umount /.old"
cd "$dir" || fail "chdir to cwd (\\"$dir\\") set in config.json failed: no such file or directory"
PATH=$path
found=$(command -v -- "$program") && [ -n "$found" ] || fail "exec: \\"$program\\": executable file not found in \\$PATH"
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
env=$(command -v env)
printf 'R\\n' >&3
exec 3>&-
[ -n "$uid" ] && exec setsid $tty setpriv --reuid="$uid" --regid="$gid" --clear-groups "$env" -i "$@"
exec setsid $tty "$env" -i "$@"
`;
