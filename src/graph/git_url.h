#pragma once
// What people write for a git repository (contexts, ADD), and its form as a source of the graph. Not for
// talking to it: nodes/git_source.h.
#include <optional>
#include <string>
#include <string_view>

#include "graph/ops.h"

namespace slipway {

struct GitUrl {
  std::string remote;    ///< what git is given: without query and fragment; may hold a user and a password
  std::string ref;       ///< branch, tag, refs/… or commit; empty: the repository's HEAD
  std::string subdir;    ///< clean and relative; empty: all of it
  std::string checksum;  ///< the commit's id, or the beginning of it
  bool keep_git_dir = false;
  bool submodules = true;
  bool operator==(const GitUrl&) const = default;
};

/// A git URL in one of BuildKit's forms: https://… and http://… with a path that ends in .git, ssh://,
/// git://, USER@HOST:PATH; each with "?ref=…&subdir=…" (tag, branch, checksum, commit, keep-git-dir,
/// submodules) or
/// "#REF:SUBDIR". Nothing for what is none of these. Throws InvalidInput for one that makes no sense: unknown
/// or contradicting parts, names that git would take for options, a subdir that leads out.
std::optional<GitUrl> parse_git_url(std::string_view text);

/// What only a caller's own command line may say besides: "github.com/USER/REPOSITORY" and file:// URLs.
std::optional<GitUrl> parse_git_context(std::string_view text);

/// "git://HOST/PATH#REF:SUBDIR" with its attributes.
SourceOp to_source_op(const GitUrl& url);
/// The same backwards; nothing if the source is no git repository. Throws InvalidInput as above.
std::optional<GitUrl> git_url_of(const SourceOp& source);

/// "github.com", with the port if the URL has one.
std::string git_host(std::string_view remote);
/// Without user and password: for messages and for what is kept. What ssh needs to know stays.
std::string without_credentials(std::string_view url);
/// "URL#REF:SUBDIR", for people.
std::string shown_git_url(const GitUrl& url);

/// True for the whole id of a commit: 40 or 64 hex digits.
bool is_commit_id(std::string_view text);

}  // namespace slipway
