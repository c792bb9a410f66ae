#include "slipway/text_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <latch>
#include <thread>

#include "base/unique_fd.h"
#include "tools/event_script.h"

namespace slipway {
namespace {

TEST(OrderedWriter, WritesInTheOrderOfTheQueue) {
  StringOutput output;
  OrderedWriter writer(output);
  writer.queue("a");
  writer.queue("b");
  EXPECT_EQ(output.text, "");
  writer.drain();
  EXPECT_EQ(output.text, "ab");
}

// Blocks in its first write until it is released.
class SlowOutput final : public TextOutput {
 public:
  void write(std::string_view bytes) noexcept override {
    if (text.empty()) {
      inside.count_down();
      release.wait();
    }
    text += bytes;
  }
  std::latch inside{1};
  std::latch release{1};
  std::string text;
};

TEST(OrderedWriter, NobodyWaitsForTheThreadThatWrites) {
  SlowOutput output;
  OrderedWriter writer(output);
  std::jthread first([&] {
    writer.queue("a");
    writer.drain();
  });
  output.inside.wait();
  writer.queue("b");
  writer.drain();   // returns although "a" is still being written
  output.release.count_down();
  writer.flush();
  EXPECT_EQ(output.text, "ab");
}

TEST(FdOutput, BrokenPipeIsSurvived) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  { const UniqueFd reader(ends[0]); }
  const UniqueFd writer(ends[1]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  FdOutput output(writer.get());
  output.write("lost");
  output.write("lost too");
  std::signal(SIGPIPE, before);
}

TEST(FdOutput, NonBlockingPipeGetsEverything) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const std::string sent(1'000'000, 'x');
  std::jthread sender([&] {
    FdOutput output(writer.get());
    output.write(sent);
    writer.reset();
  });
  ASSERT_EQ(::fcntl(reader.get(), F_SETFL, 0), 0);
  std::size_t received = 0;
  char buffer[65536];
  for (ssize_t n = 0; (n = ::read(reader.get(), buffer, sizeof buffer)) > 0;) received += static_cast<std::size_t>(n);
  EXPECT_EQ(received, sent.size());
}

}  // namespace
}  // namespace slipway
