// Says what a test wants of it: the version in $FAKE_QEMU_VERSION, or 9.1.2.
#include <cstdio>
#include <cstdlib>

int main() {
  const char* version = std::getenv("FAKE_QEMU_VERSION");
  std::printf("qemu-aarch64 version %s (made for tests)\nCopyright\n", version ? version : "9.1.2");
  return 0;
}
