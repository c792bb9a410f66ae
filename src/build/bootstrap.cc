#include "build/bootstrap.h"

#include <fcntl.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "build/import_image.h"
#include "runtime/private_binfmt.h"

namespace slipway {

namespace {

// What makes an unpacked tree usable: a shell, its tools and the C library's.
const std::vector<std::string> kExtractedBase = {"base-files", "base-passwd", "bash",     "coreutils", "dash",
                                                 "grep",       "gzip",        "libc-bin", "sed",       "tar"};

// base-passwd's maintainer script would write these two; nothing runs, so its masters are put there as they
// are.
constexpr const char* kUserFilesHook =
    R"(set -e; cd "$1"; for f in passwd group; do cp usr/share/base-passwd/$f.master etc/$f; chmod 644 etc/$f; done)";

// The package database, with everything unpacked and nothing configured, as it is: for apt and dpkg in later
// steps (`dpkg --configure -a`), and for all who ask what a file belongs to.
constexpr const char* kDatabaseHook = R"hook(set -e
info="$1/var/lib/dpkg/info"
mkdir -p "$info"
: > "$1/var/lib/dpkg/status"
for deb in "$1"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb -f "$deb" Package)
  if [ "$(dpkg-deb -f "$deb" Multi-Arch)" = same ]; then name="$name:$(dpkg-deb -f "$deb" Architecture)"; fi
  dpkg-deb -f "$deb" | sed '1a Status: install ok unpacked' >> "$1/var/lib/dpkg/status"
  echo >> "$1/var/lib/dpkg/status"
  dpkg-deb -e "$deb" "$info/tmp.ci"
  rm "$info/tmp.ci/control"
  for file in "$info"/tmp.ci/*; do [ ! -e "$file" ] || mv "$file" "$info/$name.${file##*/}"; done
  rmdir "$info/tmp.ci"
  dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -e 's|^\.||' -e 's|^/$|/.|' -e 's|\(.\)/$|\1|' > "$info/$name.list"
done)hook";

bool is_package_word(const std::string& word) {
  return !word.empty() && word.front() != '-' && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.' || c == ':' || c == '~' || c == '_';
  });
}

void check_request(const BootstrapRequest& request) {
  if (!is_package_word(request.suite)) throw UsageError(concat("\"", request.suite, "\" is no suite name"));
  for (const std::string& package : request.include)
    if (!is_package_word(package))
      throw UsageError(concat("--include: \"", package, "\" is no package name"));
  for (const Platform& platform : request.platforms)
    if (!debian_architecture(platform))
      throw UsageError(
          concat("Debian has no port for ", platform.str(),
                 "; it has amd64, arm64, arm/v7, arm/v6 (armel), 386, mips64le, ppc64le, s390x"));
}

std::vector<std::string> mmdebstrap_arguments(const BootstrapRequest& request, const Platform& platform,
                                              const std::filesystem::path& tar) {
  std::vector<std::string> include = request.extract_only ? kExtractedBase : std::vector<std::string>{};
  include.insert(include.end(), request.include.begin(), request.include.end());
  std::vector<std::string> arguments = {
      "mmdebstrap", "--mode=root", concat("--architectures=", *debian_architecture(platform)),
      request.extract_only ? "--variant=extract" : "--variant=minbase", "--format=tar",
      // Steps of a build run as root, without apt's own sandbox user.
      "--aptopt=APT::Sandbox::User \"root\"", "--skip=output/mknod"};
  if (!include.empty()) arguments.push_back(concat("--include=", join(include, ",")));
  if (request.extract_only)
    for (const char* hook : {kUserFilesHook, kDatabaseHook})
      arguments.push_back(concat("--extract-hook=", hook));
  arguments.push_back(request.suite);
  arguments.push_back(tar.native());
  if (!request.mirror.empty()) arguments.push_back(request.mirror);
  return arguments;
}

/// Keeps the last lines of what mmdebstrap says, for the error.
class LastLines {
 public:
  void add(std::string_view bytes) {
    for (char c : bytes) {
      if (c == '\n') {
        lines_.push_back(std::exchange(line_, {}));
        if (lines_.size() > 15) lines_.erase(lines_.begin());
      } else if (line_.size() < 1000) {
        line_ += c;
      }
    }
  }
  std::vector<std::string> take() {
    if (!line_.empty()) lines_.push_back(std::move(line_));
    return std::move(lines_);
  }

 private:
  std::vector<std::string> lines_;
  std::string line_;
};

void run_mmdebstrap(const BootstrapRequest& request, const Platform& platform, const Execution& execution,
                    const std::filesystem::path& scratch, const std::filesystem::path& tar,
                    const std::string& step, ProgressSink& progress, std::stop_token stop) {
  LastLines last;
  Command command{.argv = mmdebstrap_arguments(request, platform, tar)};
  command.on_output = [&](int stream, std::string_view bytes) {
    last.add(bytes);
    progress.emit(StepLog{.id = step, .stream = stream, .bytes = std::string(bytes)});
  };
  std::optional<PrivateBinfmt> binfmt;
  if (execution.kind == Execution::Kind::PrivateBinfmt && !request.extract_only) {
    // mmdebstrap and dpkg look for the table where every host has it; in the private mount namespace it is
    // ours.
    binfmt.emplace("/proc/sys/fs/binfmt_misc", execution);
    command.child_setup = [&] { return binfmt->enter(); };
  }
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          concat("TMPDIR=", scratch.native()), "LC_ALL=C.UTF-8",
                                          concat("HOME=", scratch.native()),
                                          "DEBIAN_FRONTEND=noninteractive"};
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy"})
    if (const char* value = std::getenv(name)) environment.push_back(concat(name, "=", value));
  if (request.epoch) environment.push_back(concat("SOURCE_DATE_EPOCH=", *request.epoch));
  command.environment = std::move(environment);
  const ProcessResult result = run_process(command, stop);
  if (binfmt) binfmt->throw_if_failed();
  if (result.ok()) return;
  BuildFailed failed(concat("mmdebstrap for ", platform.str(), " failed: exit code ", result.exit_code));
  failed.set_log_tail(last.take());
  throw failed;
}

}  // namespace

std::vector<AssembledImage> bootstrap_debian(const BootstrapRequest& request, Store& store,
                                             const EmulatorSearch& emulators, ProgressSink& progress,
                                             std::stop_token stop) {
  check_request(request);
  if (!find_program("mmdebstrap")) {
    HostError missing("mmdebstrap is not installed");
    missing.set_hint("apt-get install mmdebstrap");
    throw missing;
  }
  std::vector<Execution> executions;
  for (const Platform& platform : request.platforms)
    executions.push_back(request.extract_only ? Execution{}
                                              : choose_execution(Platform::host(), platform,
                                                                 EmulationPolicy::Auto, emulators));
  std::vector<AssembledImage> images;
  for (std::size_t i = 0; i < request.platforms.size(); ++i) {
    const Platform& platform = request.platforms[i];
    const std::string step = concat("bootstrap ", platform.str());
    progress.emit(StepPlanned{.id = step,
                              .name = concat("[", platform.str(), "] mmdebstrap ", request.suite),
                              .lane = platform.str(),
                              .inputs = {}});
    progress.emit(StepStarted{.id = step,
                              .mode = executions[i].kind == Execution::Kind::Native ? ExecutionMode::Native
                                                                                    : ExecutionMode::Emulated,
                              .how = executions[i].describe()});
    try {
      const TempDir scratch(store.temp_directory(), "bootstrap");
      const std::filesystem::path tar = scratch.path() / "root.tar";
      run_mmdebstrap(request, platform, executions[i], scratch.path(), tar, step, progress, stop);
      const UniqueFd fd = open_file(tar, O_RDONLY);
      images.push_back(import_rootfs(store, fd.get(), platform,
                                     concat("slipway bootstrap debian --suite ", request.suite),
                                     request.epoch, stop));
    } catch (const Error& e) {
      progress.emit(StepFinished{.id = step, .end = StepEnd::Failed, .error = e.what()});
      throw;
    }
    progress.emit(StepFinished{.id = step, .end = StepEnd::Done, .error = {}});
  }
  return images;
}

}  // namespace slipway
