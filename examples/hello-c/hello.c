#include <stdio.h>

int main(void) {
  puts("Hello from " ARCH "!");
  return 0;
}
