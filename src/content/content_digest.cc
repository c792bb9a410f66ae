// Blocks of zeros, in holes or not, are left out of the bytes that are digested; where they were is digested
// in their place. Both digests together make one that no file's plain bytes could have: its last digits are
// turned over, and nobody can find bytes for a digest that was chosen.
#include "content/content_digest.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"

namespace slipway {
namespace {

constexpr std::uint64_t kBlock = 4096;
constexpr std::size_t kRead = std::size_t{256} << 10;

bool is_zero(std::string_view block) {
  static const char zeros[kBlock] = {};
  return block[0] == 0 && std::memcmp(block.data(), zeros, block.size()) == 0;
}

class ContentHash {
 public:
  /// `bytes` follow what was added before; whole blocks, but for the end of the file.
  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t used = 0;
      while (used < bytes.size() && !is_zero(bytes.substr(used, kBlock)))
        used += std::min<std::size_t>(kBlock, bytes.size() - used);
      if (used > 0) {
        end_zeros();
        bytes_.update(bytes.substr(0, used));
        position_ += used;
        bytes.remove_prefix(used);
      } else {
        const std::size_t zeros = std::min<std::size_t>(kBlock, bytes.size());
        add_zeros(zeros);
        bytes.remove_prefix(zeros);
      }
    }
  }
  void add_zeros(std::uint64_t count) {
    zeros_ += count;
    position_ += count;
  }
  Digest finish() {
    end_zeros();
    const Digest bytes = bytes_.finish();
    if (!any_zeros_) return bytes;
    std::string text = Digest::of(concat(bytes.str(), " ", places_.finish().str())).str();
    for (std::size_t i = text.size() - 8; i < text.size(); ++i) {
      const char digit = text[i];
      const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
      text[i] = "0123456789abcdef"[15 - value];
    }
    return Digest::parse(text);
  }

 private:
  void end_zeros() {
    if (zeros_ == 0) return;
    places_.update(concat(position_ - zeros_, "+", zeros_, ";"));
    zeros_ = 0;
    any_zeros_ = true;
  }

  Sha256 bytes_, places_;
  std::uint64_t position_ = 0, zeros_ = 0;
  bool any_zeros_ = false;
};

}  // namespace

Digest digest_of_content(int fd, std::uint64_t size, std::string_view shown, const std::stop_token& stop) {
  ContentHash hash;
  std::vector<char> buffer(std::min<std::uint64_t>(kRead, (size / kBlock + 1) * kBlock));
  std::uint64_t position = 0;
  // Up to there, holes are read like anything else. In a small file there is little to save.
  std::uint64_t data_end = size < kRead ? std::numeric_limits<std::uint64_t>::max() : 0;
  std::size_t filled = 0;
  while (true) {
    if (stop.stop_requested()) throw Cancelled{};
    if (filled == 0 && position >= data_end) {
      const FileExtent next = next_data(fd, position, shown);
      data_end = next.end;
      const std::uint64_t begin = next.begin / kBlock * kBlock;
      if (begin > position) {
        hash.add_zeros(begin - position);
        position = begin;
      }
    }
    const ssize_t n =
        ::pread(fd, buffer.data() + filled, buffer.size() - filled, static_cast<off_t>(position + filled));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", shown);
    filled += static_cast<std::size_t>(n);
    if (n > 0 && filled < buffer.size()) continue;
    hash.add(std::string_view(buffer.data(), filled));
    position += filled;
    filled = 0;
    if (n == 0) return hash.finish();
  }
}

}  // namespace slipway
