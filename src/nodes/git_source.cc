// Of a commit only its tree is fetched (depth 1), by its id: servers of protocol 2 give any commit that they
// have. Those that do not are asked for the ref, and in the end for everything.
#include "nodes/git_source.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "nodes/git_checkout.h"
#include "registry/retry.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

/// Lines "ID<tab>NAME" of ls-remote, by name.
std::map<std::string, std::string> parse_refs(const std::string& text) {
  std::map<std::string, std::string> refs;
  for (const std::string& line : split(text, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos && is_commit_id(line.substr(0, tab)))
      refs.emplace(line.substr(tab + 1), line.substr(0, tab));
  }
  return refs;
}

std::string without_prefix(std::string text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

/// BuildKit's order: the name itself under refs/, then a branch, then a tag.
std::optional<GitVersion> find_ref(const std::map<std::string, std::string>& refs, const std::string& ref) {
  const std::string partial = concat("refs/", without_prefix(ref, "refs/"));
  const std::string head = concat("refs/heads/", without_prefix(ref, "refs/heads/"));
  const std::string tag = concat("refs/tags/", without_prefix(ref, "refs/tags/"));
  for (const std::string& name : {partial, head, tag}) {
    const auto found = refs.find(name);
    if (found == refs.end()) continue;
    GitVersion version{.commit = found->second, .ref = name, .tag = {}};
    if (const auto peeled = refs.find(name + "^{}"); peeled != refs.end()) {
      version.tag = version.commit;
      version.commit = peeled->second;
    }
    return version;
  }
  return std::nullopt;
}

[[noreturn]] void throw_no_such_ref(const GitUrl& url, const std::map<std::string, std::string>& refs) {
  InvalidInput missing(concat(shown_git_url(url), ": the repository has no branch or tag \"", url.ref, "\""));
  std::vector<std::string> names;
  for (const auto& [name, id] : refs) {
    const bool plain = !name.ends_with("^{}");
    if (plain && name.starts_with("refs/heads/")) names.push_back(name.substr(11));
    if (plain && name.starts_with("refs/tags/")) names.push_back(name.substr(10));
  }
  const bool looks_like_commit =
      url.ref.size() >= 7 && url.ref.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (const auto near =
          closest_match(without_prefix(without_prefix(url.ref, "refs/heads/"), "refs/tags/"), names)) {
    missing.set_hint(concat("did you mean ", *near, "?"));
  } else if (looks_like_commit) {
    missing.set_hint("a commit must be named by its whole id (40 digits)");
  } else if (!names.empty() && names.size() <= 10) {
    missing.set_hint(concat("it has: ", join(names, ", ")));
  }
  throw missing;
}

void check_checksum(const GitUrl& url, const GitVersion& version) {
  if (url.checksum.empty() || version.commit.starts_with(url.checksum)) return;
  if (!version.tag.empty() && version.tag.starts_with(url.checksum)) return;
  IntegrityError wrong(
      concat(shown_git_url(url), " is commit ", version.commit, ", but ", url.checksum, " was expected"));
  wrong.set_hint("the ref was moved, or the checksum is of another commit");
  throw wrong;
}

/// Waits for an flock(2) without giving up the right to be stopped.
UniqueFd lock_file(const fs::path& path, const std::stop_token& stop) {
  UniqueFd fd = open_file(path, O_RDWR | O_CREAT, 0600);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw SystemError(errno, "flock", path.native());
    sleep_unless_stopped(Seconds(0.05), stop);
  }
  return fd;
}

}  // namespace

std::string GitVersion::identity(const GitUrl& url) const {
  std::string text = concat("git ", commit);
  const bool keeps = url.keep_git_dir && url.subdir.empty();
  if (keeps) text += concat(" .git ", without_credentials(url.remote), " ", ref, " ", tag);
  if (!url.submodules) text += " no-submodules";
  return concat(text, " :", url.subdir);
}

/// A bare repository of ours, locked against others.
struct GitSource::Repository {
  fs::path directory;
  UniqueFd lock;
};

fs::path GitSource::home() const {
  const fs::path home = store_.root() / "git";
  std::error_code ignored;
  fs::create_directories(home, ignored);
  return home;
}

GitVersion GitSource::resolve(const GitUrl& url, const std::stop_token& stop) {
  if (is_commit_id(url.ref)) {
    GitVersion version{.commit = to_lower(url.ref), .ref = {}, .tag = {}};
    check_checksum(url, version);
    return version;
  }
  const GitCommand git(url, access_, home());
  std::optional<GitVersion> version;
  if (url.ref.empty()) {
    const std::string text =
        git.run({.args = {"ls-remote", "--symref", "--", git.remote(), "HEAD"}}, {}, stop);
    const auto refs = parse_refs(text);
    if (const auto head = refs.find("HEAD"); head != refs.end()) {
      version = GitVersion{.commit = head->second, .ref = {}, .tag = {}};
      const std::string line(text.substr(0, text.find('\n')));
      if (line.starts_with("ref: ")) version->ref = line.substr(5, line.find('\t') - 5);
    }
    if (!version) throw InvalidInput(concat(shown_git_url(url), ": the repository is empty, or has no HEAD"));
  } else {
    const std::string text =
        git.run({.args = {"ls-remote", "--", git.remote(), url.ref, url.ref + "^{}"}}, {}, stop);
    version = find_ref(parse_refs(text), url.ref);
    if (!version)
      throw_no_such_ref(url, parse_refs(git.run({.args = {"ls-remote", "--", git.remote()}}, {}, stop)));
  }
  check_checksum(url, *version);
  return *version;
}

GitSource::Repository GitSource::open_repository(const GitUrl& url, bool long_ids,
                                                 const std::stop_token& stop) const {
  const std::string name(
      Digest::of(concat(without_credentials(url.remote), long_ids ? "\nsha256" : "")).hex());
  store_.lease(LeaseKind::GitRepository, name);
  Repository repository{.directory = home() / name, .lock = lock_file(home() / (name + ".lock"), stop)};
  ::futimens(repository.lock.get(), nullptr);  // when it was used last, for those who prune
  // Made whole or not at all: the mark comes last.
  const fs::path mark = repository.directory / "slipway";
  if (!fs::exists(mark)) {
    remove_tree(repository.directory);
    const GitCommand git(url, access_, home());
    git.run(
        {.args = {"init", "--quiet", "--bare", long_ids ? "--object-format=sha256" : "--object-format=sha1",
                  "--", repository.directory.native()}},
        {}, stop);
    write_file_atomic(mark, concat(without_credentials(url.remote), "\n"));
  }
  // Of a process that was killed while it held our lock.
  std::error_code ignored;
  fs::remove(repository.directory / "shallow.lock", ignored);
  return repository;
}

void GitSource::fetch(const GitCommand& git, const Repository& repository, const GitUrl& url,
                      const GitVersion& version, const GitLog& log, const std::stop_token& stop) const {
  const std::string wanted = version.tag.empty() ? version.commit : version.tag;
  const auto have = [&] {
    return git
        .try_run({.args = {"cat-file", "-e", wanted + "^{commit}"}, .git_dir = repository.directory}, stop)
        .has_value();
  };
  const auto pull = [&](std::vector<std::string> options, std::vector<std::string> what) {
    GitCommand::Run run{.args = {"fetch", "--quiet", "--force", "--no-write-fetch-head"},
                        .git_dir = repository.directory};
    run.args.insert(run.args.end(), options.begin(), options.end());
    run.args.insert(run.args.end(), {"--", git.remote()});
    run.args.insert(run.args.end(), what.begin(), what.end());
    git.run(run, log, stop);
  };
  if (have()) return;
  std::vector<std::string> names{wanted};
  if (!version.ref.empty()) names.push_back(version.ref);
  for (const std::string& name : names) {
    try {
      pull({"--depth=1", "--no-tags"}, {name});
      if (have()) return;
    } catch (const InvalidInput&) {
      // The server gives only what its refs name, or knows of no depth.
    }
  }
  const bool shallow = fs::exists(repository.directory / "shallow");
  pull(shallow ? std::vector<std::string>{"--unshallow"} : std::vector<std::string>{},
       {"+refs/heads/*:refs/slipway/heads/*", "+refs/tags/*:refs/slipway/tags/*"});
  if (have()) return;
  InvalidInput missing(
      concat(shown_git_url(url), ": the repository does not give the commit ", version.commit));
  missing.set_hint("name the branch or tag it is on, with ?ref=NAME&checksum=COMMIT");
  throw missing;
}

SnapshotId GitSource::checkout(const GitUrl& url, const GitVersion& version, const GitLog& log,
                               const std::stop_token& stop) {
  const GitCommand git(url, access_, home());
  const Repository repository = open_repository(url, version.commit.size() == 64, stop);
  fetch(git, repository, url, version, log, stop);
  // A ref of ours keeps it, and tells the server next time what we have.
  const std::string wanted = version.tag.empty() ? version.commit : version.tag;
  git.run({.args = {"update-ref", concat("refs/slipway/", wanted), wanted}, .git_dir = repository.directory},
          {}, stop);
  const std::string type = std::string(
      trim(git.run({.args = {"cat-file", "-t", version.commit}, .git_dir = repository.directory}, {}, stop)));
  GitVersion exact = version;
  if (type == "tag") {  // the URL names the tag's object
    exact.tag = version.commit;
    exact.commit = std::string(trim(git.run(
        {.args = {"rev-parse", version.commit + "^{commit}"}, .git_dir = repository.directory}, {}, stop)));
  }
  const TempDir scratch(store_.temp_directory(), "git");
  ActiveSnapshot active = store_.snapshots().prepare_unmounted(std::nullopt);
  check_out_tree({.git = git,
                  .url = url,
                  .version = exact,
                  .repository = repository.directory,
                  .scratch = scratch.path(),
                  .target = active.upper(),
                  .log = log},
                 stop);
  return store_.snapshots().commit(std::move(active), std::time(nullptr));
}

}  // namespace slipway
