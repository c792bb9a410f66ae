#pragma once
// A client with a fake registry behind it, impatient enough for tests.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/logger.h"
#include "base/strings.h"
#include "base/synchronized.h"
#include "manifest/media_types.h"
#include "registry/client.h"
#include "support/fake_registry.h"

namespace slipway::testing_support {

class MapCredentials final : public CredentialSource {
 public:
  std::map<std::string, Credentials> by_host;
  std::optional<Credentials> find(const std::string& host) override {
    const auto it = by_host.find(host);
    if (it == by_host.end()) return std::nullopt;
    return it->second;
  }
};

/// Keeps all lines, to look for what must not be in them.
class RecordingLogger final : public Logger {
 public:
  void log(LogLevel, std::string_view line) noexcept override { *lines_.lock() += std::string(line) + "\n"; }
  std::string text() { return *lines_.lock(); }

 private:
  Synchronized<std::string> lines_;
};

class RegistryTest : public testing::Test {
 protected:
  FakeRegistry registry;
  std::shared_ptr<MapCredentials> credentials = std::make_shared<MapCredentials>();
  RecordingLogger logger;
  RegistryClient client{{.attempts = 3, .first_delay_seconds = 0.001}, credentials, logger};
  TempDir directory;

  ImageRef ref(const std::string& rest = "team/app:1") const { return ImageRef::parse(registry.host() + "/" + rest); }
  void log_in(const std::string& user, const std::string& password) {
    credentials->by_host[registry.host()] = {.username = user, .password = Secret(password)};
  }

  static std::string pattern(std::size_t size) {
    std::string out(size, '\0');
    unsigned value = 12345;
    for (char& c : out) {
      value = value * 1103515245u + 12345u;
      c = static_cast<char>(value >> 24);
    }
    return out;
  }
  static Descriptor blob_of(const std::string& bytes) {
    return {.media_type = std::string(media_type::kOciLayerTar), .digest = Digest::of(bytes), .size = bytes.size()};
  }
  static std::string manifest_text() { return R"({"schemaVersion":2,"layers":[]})"; }

  /// What a blob sink saw.
  struct Received {
    std::string bytes;
    int restarts = 0;
  };
  BlobSink sink_into(Received& received) const {
    return {.write = [&received](std::string_view bytes) { received.bytes += bytes; },
            .restart =
                [&received] {
                  received.bytes.clear();
                  ++received.restarts;
                }};
  }
  Received fetch(const Descriptor& blob, const TransferProgress& progress = {}) {
    Received received;
    client.fetch_blob(ref(), blob, sink_into(received), progress, {});
    return received;
  }
  PushEnd push(const std::string& bytes, const std::vector<std::string>& mount_from = {},
               const TransferProgress& progress = {}) {
    const auto file = directory.path() / "blob";
    write_file_atomic(file, bytes);
    return client.push_blob(ref(), blob_of(bytes), [file] { return open_file(file, O_RDONLY); }, mount_from, progress,
                            {});
  }
};

/// The message of the E that `action` throws.
template <class E, class F>
std::string error_of(F action) {
  try {
    action();
  } catch (const E& error) {
    return describe(error);
  }
  ADD_FAILURE() << "no such error was thrown";
  return {};
}

}  // namespace slipway::testing_support
