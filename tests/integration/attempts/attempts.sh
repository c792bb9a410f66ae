# What an attacker tries from inside a build step with a shell. `attempt NAME` runs the function of that name, which prints
# what it reached, or nothing. Files are opened for writing, but nothing is written. X: where the attempts are; PLACE: where
# they may make files; SEARCHED: what they look through.
: "${X:=/x}" "${PLACE:=/att}" "${SEARCHED:=/}"
. "$X/facts"
export VICTIM MARKER ABSTRACT SHARED_MEMORY ATTEMPTS="$X/attempts"

attempt() {
  what=$("$1" 2>/dev/null </dev/null | tr '\n' ' ' | head -c 300)
  if [ -n "$what" ]; then echo "$1: BROKEN $what"; else echo "$1: held"; fi
}

opens_for_writing() { for file; do [ -f "$file" ] && (: >> "$file") 2>/dev/null && echo "$file"; done; }

# --- files and secrets

outside_file() {
  for up in "" ../../../../../../../.. /proc/self/root /proc/self/cwd/../../../../../..; do cat "$up$MARKER"; done
}

roots_of_processes() {
  for process in /proc/[0-9]* /proc/self /proc/thread-self; do
    for place in root cwd root/../../../../../.. cwd/../../../../../..; do cat "$process/$place$MARKER"; done
    for file in "$process"/fd/* "$process"/map_files/*; do [ -d "$file" ] && cat "$file/../../../../../..$MARKER"; done
  done
}

# In files of others, of other steps and of the machine: TOKEN is a pattern that does not match itself.
token_in_files() {
  find $SEARCHED \( -path /proc -o -path /sys -o -path "$X" \) -prune -o -type f -exec grep -l -e "$TOKEN" {} +
}
token_in_processes() { grep -l -s -e "$TOKEN" /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/mountinfo; }
others_cache() { find $SEARCHED \( -path /proc -o -path /sys \) -prune -o -name "$CACHE_MARK" -print; }
sockets() { find $SEARCHED \( -path /proc -o -path /sys \) -prune -o -type s -print; }
shared_memory_file() { ls "/dev/shm/$SHARED_FILE"; }

# --- processes

other_processes() {
  for process in /proc/[0-9]*; do
    [ -e "$process" ] && ! grep -q -s -e "$MARK" "$process/environ" && [ -e "$process" ] &&
      echo "${process#/proc/} $(tr '\0' ' ' < "$process/cmdline" | head -c 40)"
  done
}
environment() {
  { env; cat /proc/1/environ | tr '\0' '\n'; } | grep -e ^SLIPWAY -e ^_ -e LIBCONTAINER -e CRUN -e ^OUTSIDE | grep -v '^_='
}
shell_signal() { kill -CONT "$VICTIM" && echo "$VICTIM"; }
runtime_programs() { for process in /proc/[0-9]*; do opens_for_writing "$process/exe"; done | grep -v /self/; }
descriptors_of_first() { ls -l /proc/1/fd/ | sed -n 's/.* -> //p' | grep -v -e '^pipe:' -e '^/dev/null$' -e "^$X/" -e '^/out$'; }

# --- what mounts show

device_nodes() {
  find /dev -type b -o -type c |
    grep -v -x -E '/dev/(null|zero|full|random|urandom|tty|console|ptmx|pts/ptmx)'
}
device_nodes_of_image() { for node in /nodes/*; do (: < "$node") && echo "$node"; done; }
terminals() { ls /dev/pts | grep -v ptmx; (: < /dev/tty) && echo /dev/tty; (: < /dev/console) && echo /dev/console; }
mounts_of_machine() {
  sed 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .*/\1/' /proc/self/mountinfo |
    grep -v -x -E '/|/(proc|dev|sys)(/.*)?|/etc/(hosts|resolv.conf)|/x'
}

proc_secrets() {
  for file in kcore keys kmsg timer_list sched_debug; do
    [ -e /proc/$file ] && head -c 1 /proc/$file | grep -q . && echo /proc/$file
  done
}
# A step that has copies of what is in /proc may change them.
proc_writes() {
  [ "$(stat -f -c %t /proc)" = 9fa0 ] || return
  opens_for_writing /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/drop_caches \
    /proc/sys/kernel/hostname /proc/sys/fs/binfmt_misc/register /proc/sys/fs/binfmt_misc/status /proc/irq/default_smp_affinity
}
sys_writes() {
  opens_for_writing /sys/kernel/uevent_helper /sys/kernel/rcu_expedited /sys/kernel/mm/ksm/run /sys/power/state \
    /sys/kernel/mm/transparent_hugepage/enabled /sys/module/kernel/parameters/* /sys/fs/pstore/*
}
cgroup_writes() {
  for file in $(find /sys/fs/cgroup -maxdepth 3 \( -name cgroup.procs -o -name tasks -o -name release_agent \)); do
    opens_for_writing "$file"
  done
  find /sys/fs/cgroup -maxdepth 1 -type d | while read -r place; do
    mkdir "$place/slipway-test" && rmdir "$place/slipway-test" && echo "$place"
  done
}

# --- the tools that an image has

shell_mount() { mkdir -p m; mount -t tmpfs none m && echo mounted && umount m; }
shell_mknod() { mknod shell-node b 7 0 && echo made; }
shell_unshare() { unshare -r true && echo unshared; }
shell_capabilities() { # CapPrm, CapEff, CapBnd: beyond those of containers
  for set in $(sed -n 's/^Cap[A-Z][a-z]*:\s*//p' /proc/self/status); do
    [ $((0x$set & ~0xa00425fb)) = 0 ] || echo "$set"
  done
}

mkdir -p "$PLACE"
cd "$PLACE" || exit
for name in $(sed -n 's/^\([a-z_]*\)() {.*/\1/p' "$X/attempts.sh"); do
  case $name in attempt|opens_for_writing) ;; *) attempt "$name" ;; esac
done
# What was made stays: removing it could follow a mount that should not have been possible.
if [ -x "$ATTEMPTS" ]; then "$ATTEMPTS"; fi
