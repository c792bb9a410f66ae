#include "graph/git_url.h"

#include <algorithm>
#include <regex>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {

namespace {

constexpr std::string_view kGitScheme = "git://";
constexpr std::string_view kFileScheme = "file://";

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

std::string scheme_of(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0) return {};
  const std::string scheme = to_lower(text.substr(0, end));
  const bool plain = std::ranges::all_of(
      scheme, [](unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
  return plain ? scheme : std::string();
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

/// Text in three parts: what git is given, the query and the fragment.
struct Parts {
  std::string_view remote, query, fragment;
};

Parts split_parts(std::string_view text) {
  Parts parts{.remote = text, .query = {}, .fragment = {}};
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    parts.fragment = text.substr(hash + 1);
    parts.remote = text.substr(0, hash);
  }
  if (const std::size_t mark = parts.remote.find('?'); mark != std::string_view::npos) {
    parts.query = parts.remote.substr(mark + 1);
    parts.remote = parts.remote.substr(0, mark);
  }
  return parts;
}

[[noreturn]] void refuse(std::string_view url, std::string_view why) {
  throw InvalidInput(concat("git URL ", without_credentials(url), ": ", why));
}

std::string clean_subdir(std::string_view subdir, std::string_view url) {
  std::vector<std::string> parts;
  for (std::string& part : split(subdir, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") refuse(url, concat("the directory \"", subdir, "\" leads out of the repository"));
    parts.push_back(std::move(part));
  }
  return join(parts, "/");
}

bool has_bad_characters(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

void check(const GitUrl& url) {
  // git takes a leading "-" for an option, whatever it stands for.
  if (url.ref.starts_with('-') || has_bad_characters(url.ref) || url.ref.find("..") != std::string::npos)
    refuse(url.remote, concat("\"", url.ref, "\" is no name of a branch, tag or commit"));
  if (url.remote.starts_with('-') || has_bad_characters(url.remote))
    refuse(url.remote, "it is no address of a repository");
  const std::string host = git_host(url.remote);
  if (host.starts_with('-') || (host.empty() && !url.remote.starts_with(kFileScheme)))
    refuse(url.remote, concat("\"", host, "\" is no host"));
  if (url.subdir.find('\0') != std::string::npos) refuse(url.remote, "a name has a NUL character");
  if (!url.checksum.empty() && !is_hex(url.checksum))
    refuse(url.remote, concat("the checksum \"", url.checksum, "\" is not the hexadecimal id of a commit"));
}

void set_ref(GitUrl& url, std::string ref) {
  if (!url.ref.empty() && url.ref != ref)
    refuse(url.remote, concat("it names two refs, \"", url.ref, "\" and \"", ref, "\""));
  url.ref = std::move(ref);
}

bool flag_value(std::string_view key, const std::string& value, const GitUrl& url) {
  if (value.empty()) return true;
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (value == yes) return true;
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"})
    if (value == no) return false;
  refuse(url.remote, concat(key, "=", value, " is neither true nor false"));
}

std::string with_prefix(std::string_view prefix, std::string name) {
  return name.starts_with(prefix) ? name : concat(prefix, name);
}

void take_query(GitUrl& url, std::string_view query) {
  static const std::vector<std::string> kKeys = {
      "ref",    "tag",          "branch",     "subdir", "checksum",
      "commit", "keep-git-dir", "submodules", "mtime",  "fetch-by-commit"};
  static const std::set<std::string> kFlags = {"keep-git-dir", "submodules", "fetch-by-commit"};
  std::set<std::string> seen;
  std::string tag, branch;
  bool by_commit = false;
  for (const std::string& field : split(query, '&')) {
    if (field.empty()) continue;
    const std::size_t equals = field.find('=');
    const std::string key = percent_decoded(std::string_view(field).substr(0, equals), true);
    const std::string value =
        equals == std::string::npos ? "" : percent_decoded(std::string_view(field).substr(equals + 1), true);
    if (std::ranges::find(kKeys, key) == kKeys.end()) {
      InvalidInput unknown(
          concat("git URL ", without_credentials(url.remote), ": unknown part \"", key, "\""));
      const auto near = closest_match(key, kKeys);
      unknown.set_hint(near ? concat("did you mean ", *near, "=?") : concat("known are ", join(kKeys, ", ")));
      throw unknown;
    }
    if (!seen.insert(key).second) refuse(url.remote, concat(key, "= is there twice"));
    if (value.empty() && !kFlags.contains(key)) refuse(url.remote, concat(key, "= has no value"));
    if (key == "ref") set_ref(url, value);
    if (key == "tag") tag = with_prefix("refs/tags/", value);
    if (key == "branch") branch = with_prefix("refs/heads/", value);
    if (key == "subdir") {
      const std::string subdir = clean_subdir(value, url.remote);
      if (!url.subdir.empty() && url.subdir != subdir)
        refuse(url.remote, concat("it names two directories, \"", url.subdir, "\" and \"", subdir, "\""));
      url.subdir = subdir;
    }
    if (key == "checksum" || key == "commit") {
      if (!url.checksum.empty()) refuse(url.remote, "checksum= and commit= are the same thing; give one");
      url.checksum = to_lower(value);
    }
    if (key == "keep-git-dir") url.keep_git_dir = flag_value(key, value, url);
    if (key == "submodules") url.submodules = flag_value(key, value, url);
    if (key == "fetch-by-commit") by_commit = flag_value(key, value, url);
    if (key == "mtime" && value != "commit" && value != "checkout")
      refuse(url.remote, concat("mtime=", value, " is neither commit nor checkout"));
  }
  if (!tag.empty() && !branch.empty()) refuse(url.remote, "it names both a tag and a branch");
  if (!tag.empty()) set_ref(url, tag);
  if (!branch.empty()) set_ref(url, branch);
  if (by_commit && !is_commit_id(url.ref)) {
    if (!is_commit_id(url.checksum)) refuse(url.remote, "fetch-by-commit needs the whole id of a commit");
    url.ref = url.checksum;
  }
}

GitUrl from_parts(std::string remote, const Parts& parts) {
  GitUrl url{.remote = std::move(remote), .ref = {}, .subdir = {}, .checksum = {}};
  const std::string fragment = percent_decoded(parts.fragment, false);
  const std::size_t colon = fragment.find(':');
  url.ref = fragment.substr(0, colon);
  if (colon != std::string::npos)
    url.subdir = clean_subdir(std::string_view(fragment).substr(colon + 1), url.remote);
  take_query(url, parts.query);
  check(url);
  return url;
}

// user@host:path, and not user@host://…
bool is_scp_like(std::string_view remote) {
  static const std::regex kForm(R"([A-Za-z0-9_][A-Za-z0-9_-]*@[A-Za-z0-9_.][A-Za-z0-9_.-]*:(?!//)[^\s]+)");
  return remote.size() < 4096 && std::regex_match(remote.begin(), remote.end(), kForm);
}

/// Where the authority of a URL begins and ends.
std::pair<std::size_t, std::size_t> authority(std::string_view url) {
  const std::size_t begin = url.find("://") + 3;
  return {begin, std::min(url.find_first_of("/?#", begin), url.size())};
}

}  // namespace

bool is_commit_id(std::string_view text) { return (text.size() == 40 || text.size() == 64) && is_hex(text); }

std::string git_host(std::string_view remote) {
  if (scheme_of(remote).empty()) {  // scp-like
    const std::size_t at = remote.find('@');
    const std::size_t begin = at == std::string_view::npos ? 0 : at + 1;
    return std::string(remote.substr(begin, remote.find(':', begin) - begin));
  }
  const auto [begin, end] = authority(remote);
  std::string_view host = remote.substr(begin, end - begin);
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  return std::string(host);
}

std::string without_credentials(std::string_view url) {
  const std::string scheme = scheme_of(url);
  if (scheme.empty()) return std::string(url);
  const auto [begin, end] = authority(url);
  const std::size_t at = url.substr(begin, end - begin).rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  std::string_view user = url.substr(begin, at);
  user = scheme == "ssh" ? user.substr(0, user.find(':')) : std::string_view();
  return concat(url.substr(0, begin), user, user.empty() ? "" : "@", url.substr(begin + at + 1));
}

std::string shown_git_url(const GitUrl& url) {
  const std::string fragment = concat(url.ref, url.subdir.empty() ? "" : ":", url.subdir);
  return concat(without_credentials(url.remote), fragment.empty() ? "" : "#", fragment);
}

std::optional<GitUrl> parse_git_url(std::string_view text) {
  const Parts parts = split_parts(text);
  const std::string scheme = scheme_of(parts.remote);
  if (scheme == "http" || scheme == "https") {
    if (!parts.remote.ends_with(".git")) return std::nullopt;
  } else if (scheme.empty()) {
    if (!is_scp_like(parts.remote)) return std::nullopt;
  } else if (scheme != "git" && scheme != "ssh") {
    return std::nullopt;
  }
  return from_parts(std::string(parts.remote), parts);
}

std::optional<GitUrl> parse_git_context(std::string_view text) {
  const Parts parts = split_parts(text);
  if (text.starts_with("github.com/")) return from_parts(concat("https://", parts.remote), parts);
  if (scheme_of(parts.remote) == "file") return from_parts(std::string(parts.remote), parts);
  return parse_git_url(text);
}

SourceOp to_source_op(const GitUrl& url) {
  const std::string plain = without_credentials(url.remote);
  const std::string host = git_host(url.remote);
  std::string path;
  if (scheme_of(plain).empty()) {
    path = plain.substr(plain.find(':') + 1);
  } else {
    path = plain.substr(authority(plain).second);
  }
  while (path.starts_with('/')) path.erase(0, 1);
  const std::string fragment = concat(url.ref, url.subdir.empty() ? "" : ":", url.subdir);
  SourceOp source{.identifier = concat(kGitScheme, host, "/", path, fragment.empty() ? "" : "#", fragment),
                  .attrs = {{kAttrGitFullUrl, url.remote}}};
  if (url.keep_git_dir) source.attrs[kAttrGitKeepDir] = "true";
  if (!url.checksum.empty()) source.attrs[kAttrGitChecksum] = url.checksum;
  if (!url.submodules) source.attrs[kAttrGitSkipSubmodules] = "true";
  return source;
}

std::optional<GitUrl> git_url_of(const SourceOp& source) {
  if (!source.identifier.starts_with(kGitScheme)) return std::nullopt;
  const auto attribute = [&](const char* name) {
    const auto found = source.attrs.find(name);
    return found == source.attrs.end() ? std::string() : found->second;
  };
  const std::string_view id = std::string_view(source.identifier).substr(kGitScheme.size());
  const std::size_t hash = id.find('#');
  GitUrl url{.remote = attribute(kAttrGitFullUrl), .ref = {}, .subdir = {}, .checksum = {}};
  url.remote = std::string(split_parts(url.remote).remote);
  if (url.remote.empty()) url.remote = id.substr(0, hash);
  if (scheme_of(url.remote).empty() && !is_scp_like(url.remote)) url.remote = concat("https://", url.remote);
  if (hash != std::string_view::npos) {
    const std::string_view fragment = id.substr(hash + 1);
    const std::size_t colon = fragment.find(':');
    url.ref = fragment.substr(0, colon);
    if (colon != std::string_view::npos) url.subdir = clean_subdir(fragment.substr(colon + 1), url.remote);
  }
  url.checksum = to_lower(attribute(kAttrGitChecksum));
  url.keep_git_dir = attribute(kAttrGitKeepDir) == "true";
  url.submodules = attribute(kAttrGitSkipSubmodules) != "true";
  check(url);
  return url;
}

}  // namespace slipway
