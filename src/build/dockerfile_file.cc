#include "build/dockerfile_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/patterns.h"
#include "dockerfile/ignore_file.h"
#include "graph/git_url.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLargest = std::size_t{16} << 20;
// Each pattern is tried on each file, so a file of millions is no list but an attack.
constexpr std::size_t kLargestIgnore = std::size_t{1} << 20;
constexpr const char* kIgnoreName = ".dockerignore";

/// Files of a context, either by any path or within a root.
struct Files {
  std::function<std::optional<std::string>(const fs::path&)> read;  ///< nothing if there is no such file
  std::function<std::vector<std::string>(const fs::path&)> list;    ///< empty if there is no such directory
};

/// A pipe is read where the caller named it (-f <(…)): one that happens to have the right name may never end.
void refuse_pipe(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode))
    throw InvalidInput("it is a named pipe, not a regular file");
}

Files files_of_this_machine(const fs::path& given) {
  return {.read = [given](const fs::path& path) -> std::optional<std::string> {
            if (given.empty() || path != given) refuse_pipe(path);
            try {
              return read_file(path, kLargest);
            } catch (const SystemError& e) {
              if (e.error_number() == ENOENT || e.error_number() == ENOTDIR) return std::nullopt;
              throw;
            }
          },
          .list =
              [](const fs::path& directory) {
                std::vector<std::string> names;
                std::error_code ignored;
                for (const auto& entry : fs::directory_iterator(directory.empty() ? "." : directory, ignored))
                  names.push_back(entry.path().filename().native());
                return names;
              }};
}

Files files_within(const RootedDir& root) {
  return {.read = [&root](const fs::path& path) -> std::optional<std::string> {
            const auto fd = root.try_open(path.native(), O_RDONLY | O_NONBLOCK);
            struct stat status {};
            if (!fd || ::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
            return read_all(fd->get(), path.native(), kLargest);
          },
          .list =
              [&root](const fs::path& directory) {
                const auto fd = root.try_open(directory.native(), O_RDONLY | O_DIRECTORY);
                return fd ? sorted_names(fd->get(), directory.native()) : std::vector<std::string>{};
              }};
}

/// Throws InvalidInput with the line of the first pattern that is none.
void check_patterns(const std::string& name, const std::string& text) {
  const std::vector<std::string> lines = split(text, '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    try {
      PatternMatcher(dockerfile::read_ignore_file(lines[i]));
    } catch (const InvalidInput& error) {
      throw InvalidInput(error.message(), {name, static_cast<int>(i + 1), 0, std::string(trim(lines[i]))});
    }
  }
}

/// Those of the first file that is there.
std::vector<std::string> patterns_of(const Files& files, const std::vector<fs::path>& places) {
  for (const fs::path& path : places) {
    std::optional<std::string> text;
    try {
      text = files.read(path);
    } catch (Error& error) {
      error.add_context(concat("cannot read ", path.native()));
      throw;
    }
    if (!text) continue;
    const std::string name = path.filename().native();
    if (text->size() > kLargestIgnore)
      throw InvalidInput(concat(name, " has ", human_bytes(text->size()), ", and may have ",
                                human_bytes(kLargestIgnore), " at most"));
    check_patterns(name, *text);
    return dockerfile::read_ignore_file(*text);
  }
  return {};
}

[[noreturn]] void throw_missing(const Files& files, const fs::path& path, const std::string& where) {
  std::vector<std::string> names = files.list(path.parent_path());
  const bool is_there = std::ranges::find(names, path.filename().native()) != names.end();
  UsageError missing(
      concat("cannot read the Dockerfile ", without_credentials(path.native()), where,
             is_there ? ": it is neither a regular file nor a link to one" : ": no such file"));
  if (is_there) throw missing;
  std::erase_if(names, [](const std::string& name) { return name.ends_with(kIgnoreName); });
  std::optional<std::string> near = closest_match(path.filename().native(), names);
  for (const std::string& name : names)
    if (!near && to_lower(name).ends_with("dockerfile")) near = name;
  missing.set_hint(near ? concat("did you mean -f ", (path.parent_path() / *near).native(), "?")
                        : "give its place with -f FILE");
  throw missing;
}

/// `places` are where it may be, the first that is there counts.
DockerfileFile find(const Files& files, const std::vector<fs::path>& places, const fs::path& context,
                    const std::string& where) {
  for (const fs::path& path : places) {
    std::optional<std::string> text;
    try {
      text = files.read(path);
    } catch (const Error& e) {
      throw UsageError(concat("cannot read the Dockerfile ", path.native(), where, ": ", e.what()));
    }
    if (!text) continue;
    return {.name = path.filename().native(),
            .text = std::move(*text),
            .ignore_patterns = patterns_of(files, {path.native() + kIgnoreName, context / kIgnoreName})};
  }
  throw_missing(files, places.front(), where);
}

}  // namespace

DockerfileFile find_dockerfile(const fs::path& context, const fs::path& file) {
  std::vector<fs::path> places;
  if (file.empty()) {
    places = {context / "Dockerfile", context / "dockerfile"};
  } else {
    places = {file};
    if (file.is_relative()) places.push_back(context / file);
  }
  return find(files_of_this_machine(file), places, context, "");
}

DockerfileFile find_dockerfile_within(const fs::path& tree, const fs::path& file, const std::string& shown) {
  const RootedDir root(tree);
  std::vector<fs::path> places{"Dockerfile", "dockerfile"};
  if (!file.empty()) places = {file.relative_path()};
  return find(files_within(root), places, "", concat(" of ", shown));
}

std::vector<std::string> context_ignore_patterns(const fs::path& context) {
  return patterns_of(files_of_this_machine({}), {context / kIgnoreName});
}

std::vector<std::string> ignore_patterns_within(const fs::path& tree) {
  const RootedDir root(tree);
  return patterns_of(files_within(root), {kIgnoreName});
}

}  // namespace slipway
