// What only ADD takes: URLs and git repositories.
#include "base/strings.h"
#include "dockerfile/stage_lowering.h"
#include "graph/git_url.h"

namespace slipway::dockerfile {
namespace {

bool is_http(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://");
}

/// The last part of the URL's path, percent signs undone.
std::string file_name_of(std::string_view url) {
  constexpr const char* kUnnamed = "__unnamed__";
  url = url.substr(0, url.find_first_of("?#"));
  std::string_view path = url.substr(url.find("://") + 3);
  const std::size_t slash = path.find('/');
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  std::string decoded;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::string hex(path.substr(i, 3));
    if (path[i] == '%' && hex.size() == 3 &&
        hex.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos) {
      decoded += static_cast<char>(std::stoi(hex.substr(1), nullptr, 16));
      i += 2;
    } else {
      decoded += path[i];
    }
  }
  while (decoded.ends_with('/')) decoded.pop_back();
  std::string name = decoded.substr(decoded.rfind('/') + 1);
  // Names that are none in a file system.
  if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string::npos) return kUnnamed;
  return name;
}

/// The JSON form can write a URL as people read it.
std::string with_escaped_blanks(std::string_view url) {
  std::string out;
  for (const char c : url) out += c == ' ' ? std::string("%20") : std::string(1, c);
  return out;
}

}  // namespace

std::optional<GitUrl> StageLowering::git_url(const std::string& source, std::size_t offset) const {
  if (source.find(':') == std::string::npos) return std::nullopt;
  try {
    return parse_git_url(source);
  } catch (InvalidInput& error) {
    if (!error.location()) error.set_location(this->source().at(*at_, offset));
    throw;
  }
}

void StageLowering::check_checksum(const Copying& copying) const {
  if (copying.checksum.empty()) return;
  const CopyCommand& command = copying.command;
  if (command.sources.size() != 1 || !command.inline_files.empty())
    fail(*command.checksum, "--checksum is for a single source; give each its own ADD");
}

void StageLowering::add_git(Copying& copying, GitUrl url) {
  const CopyCommand& command = copying.command;
  if (command.keep_git_dir) url.keep_git_dir = true;
  if (!copying.checksum.empty()) {
    if (!url.checksum.empty() && url.checksum != to_lower(copying.checksum))
      fail(*command.checksum,
           concat("--checksum=", copying.checksum, " is not what the URL says: ", url.checksum));
    if (copying.checksum.size() > 64 ||
        copying.checksum.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
      fail(*command.checksum,
           concat("--checksum of a git repository is a commit's id or the beginning of it, not \"",
                  copying.checksum, "\""));
    url.checksum = to_lower(copying.checksum);
  }
  Op op;
  op.what = to_source_op(url);
  CopyAction action = copying.action;
  action.src = "/";
  action.follow_symlink = action.allow_wildcard = false;
  action.from = copying.builder.input(add_internal(std::move(op), concat("ADD ", shown_git_url(url))));
  copying.builder.add(std::move(action));
}

void StageLowering::add_url(Copying& copying, const std::string& url) {
  const CopyCommand& command = copying.command;
  const std::string name = file_name_of(url);
  SourceOp source{with_escaped_blanks(url), {{kAttrHttpFilename, name}}};
  if (!copying.checksum.empty()) {
    try {
      source.attrs[kAttrHttpChecksum] = Digest::parse(copying.checksum).str();
    } catch (const Error&) {
      fail(*command.checksum,
           concat("--checksum of a URL is \"sha256:\" and 64 hex digits, not \"", copying.checksum, "\""));
    }
  }
  Op op;
  op.what = std::move(source);
  CopyAction action = copying.action;
  action.src = concat("/", name);
  action.follow_symlink = action.copy_dir_contents = action.allow_wildcard = false;
  action.attempt_unpack = command.unpack.value_or(false);
  action.from = copying.builder.input(add_internal(std::move(op), concat("ADD ", without_credentials(url))));
  copying.builder.add(std::move(action));
}

bool StageLowering::add_remote(Copying& copying, const std::string& source, std::size_t offset) {
  std::optional<GitUrl> git = git_url(source, offset);
  if (!git && !is_http(source)) {
    if (!copying.checksum.empty())
      fail(*copying.command.checksum,
           concat("--checksum is for URLs and git repositories; \"", source, "\" is neither"));
    return false;
  }
  if (!copying.command.add) {
    InvalidInput error(concat("COPY takes files of the context, a stage or an image, not the URL \"",
                              without_credentials(source), "\""),
                       this->source().at(*at_, offset));
    error.set_hint("ADD takes URLs");
    throw error;
  }
  if (git) {
    add_git(copying, std::move(*git));
  } else {
    add_url(copying, source);
  }
  return true;
}

}  // namespace slipway::dockerfile
