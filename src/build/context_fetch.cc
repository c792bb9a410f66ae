#include "build/context_fetch.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "base/error.h"
#include "base/strings.h"
#include "content/tar_extract.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLargestDockerfile = std::size_t{16} << 20;
constexpr std::size_t kHead = 1024;

/// Some bytes, or none at the end. Waits no longer than until it is stopped.
std::string read_some(int fd, const std::stop_token& stop) {
  std::array<char, 65536> buffer;
  while (true) {
    if (stop.stop_requested()) throw Cancelled{};
    struct pollfd wait {
      .fd = fd, .events = POLLIN, .revents = 0
    };
    if (::poll(&wait, 1, 200) == 0) continue;
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n >= 0) return {buffer.data(), static_cast<std::size_t>(n)};
    if (errno != EINTR && errno != EAGAIN) throw SystemError(errno, "read", "stdin");
  }
}

/// Reads on until there are `size` bytes, or no more.
void fill(int fd, std::size_t size, std::string& bytes, const std::stop_token& stop) {
  while (bytes.size() < size) {
    const std::string more = read_some(fd, stop);
    if (more.empty()) return;
    bytes += more;
  }
}

void check_not_empty(const std::string& head) {
  if (!head.empty()) return;
  UsageError nothing("nothing came on stdin");
  nothing.set_hint("give a Dockerfile or a tar: slipway build - < Dockerfile");
  throw nothing;
}

std::string rest_as_text(int fd, std::string head, const std::stop_token& stop) {
  fill(fd, kLargestDockerfile + 1, head, stop);
  if (head.size() > kLargestDockerfile)
    throw UsageError(concat("what came on stdin is no archive, and too large for a Dockerfile (over ",
                            human_bytes(kLargestDockerfile), ")"));
  return head;
}

std::string head_of(int fd) {
  std::string head(kHead, '\0');
  const ssize_t n = ::pread(fd, head.data(), head.size(), 0);
  if (n < 0) throw SystemError(errno, "read", "a downloaded context");
  head.resize(static_cast<std::size_t>(n));
  return head;
}

}  // namespace

std::string read_text_input(int fd, std::stop_token stop) {
  std::string text = rest_as_text(fd, "", stop);
  check_not_empty(text);
  return text;
}

std::string dockerfile_from_blob(Store& store, const Digest& blob, const std::string& url) {
  if (store.blobs().size(blob).value_or(0) > kLargestDockerfile)
    throw InvalidInput(concat(url, " is no archive, and too large for a Dockerfile"));
  std::string text = store.blobs().read(blob);
  const std::string start = to_lower(trim(std::string_view(text).substr(0, 200)));
  if (!start.starts_with("<!doctype html") && !start.starts_with("<html")) return text;
  InvalidInput page(concat(url, " is a web page, neither an archive nor a Dockerfile"));
  page.set_hint("a git repository's URL must end in .git");
  throw page;
}

fs::path ContextFetch::directory_of(SnapshotId tree) {
  trees_.push_back(store_.snapshots().view(tree));
  return trees_.back().path();
}

fs::path ContextFetch::empty() {
  temporary_.emplace_back(store_.temp_directory(), "context");
  return temporary_.back().path();
}

FetchedContext ContextFetch::git(const GitUrl& url, const std::string& step, std::stop_token stop) {
  RemoteSources::GitTree git = remote_.git_tree(url, step, stop);
  return {.directory = directory_of(git.tree),
          .shown = shown_git_url(url),
          .dockerfile = {},
          .origin = std::move(git.version)};
}

FetchedContext ContextFetch::http(const std::string& url, const std::string& step, std::stop_token stop) {
  const HttpVersion version = remote_.http_file(url, step, stop);
  const std::string shown = without_credentials(url.substr(0, url.find('?')));
  SourceVersion origin{.url = without_credentials(url), .digest = version.content.str()};
  const UniqueFd blob = store_.blobs().open(version.content);
  if (!looks_like_archive(head_of(blob.get()))) {
    FetchedContext file{.directory = empty(), .shown = shown, .dockerfile = {}, .origin = std::move(origin)};
    file.dockerfile = dockerfile_from_blob(store_, version.content, shown);
    write_file_atomic(file.directory / "context", *file.dockerfile);
    return file;
  }
  const Digest key = Digest::of(concat("slipway.context.v1 tar ", version.content.str()));
  auto tree = store_.results().find(key);
  if (!tree) {
    ActiveSnapshot active = store_.snapshots().prepare_unmounted(std::nullopt);
    extract_tar(blob.get(), active.upper(), {}, shown, store_.logger(), stop);
    tree = store_.snapshots().commit(std::move(active), std::time(nullptr));
    store_.results().put(key, *tree);
  }
  return {.directory = directory_of(*tree), .shown = shown, .dockerfile = {}, .origin = std::move(origin)};
}

FetchedContext ContextFetch::input(int fd, std::stop_token stop) {
  std::string head;
  fill(fd, kHead, head, stop);
  check_not_empty(head);
  FetchedContext context{.directory = empty(), .shown = "stdin", .dockerfile = {}};
  if (!looks_like_archive(head)) {
    context.dockerfile = rest_as_text(fd, std::move(head), stop);
    return context;
  }
  const TempDir spool(store_.temp_directory(), "stdin");
  const fs::path path = spool.path() / "tar";
  const UniqueFd file = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  for (std::string bytes = std::move(head); !bytes.empty(); bytes = read_some(fd, stop))
    write_all(file.get(), bytes, path.native());
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw SystemError(errno, "lseek", path.native());
  extract_tar(file.get(), context.directory, {}, "the archive on stdin", store_.logger(), stop);
  return context;
}

}  // namespace slipway
