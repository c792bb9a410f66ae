// Errors are told by git's own words: it has one exit code for all of them.
#include "nodes/git_command.h"

#include <sys/stat.h>

#include <cstdlib>

#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

/// More than any list of refs; a bound on what a hostile server can make of memory.
constexpr std::size_t kMostOutput = std::size_t{64} << 20;
constexpr std::size_t kMostComplaint = std::size_t{64} << 10;

std::string scheme_of(const std::string& remote) {
  const std::size_t end = remote.find("://");
  return end == std::string::npos ? "ssh" : to_lower(remote.substr(0, end));
}

bool is_http(const std::string& scheme) { return scheme == "http" || scheme == "https"; }

/// "user:password" of the URL; empty if there is none.
std::string userinfo_of(const std::string& remote) {
  const std::size_t begin = remote.find("://") + 3;
  const std::size_t end = std::min(remote.find('/', begin), remote.size());
  const std::size_t at = remote.rfind('@', end);
  return at == std::string::npos || at < begin ? std::string() : remote.substr(begin, at - begin);
}

std::string trimmed_secret(const GitAccess& access, const std::string& id) {
  const auto found = access.secrets.find(id);
  return found == access.secrets.end() ? std::string() : std::string(trim(found->second.reveal()));
}

/// The value of an Authorization header for the host; empty if nothing was given for it.
std::string authorization_for(const std::string& remote, const GitAccess& access) {
  const std::string host = git_host(remote);
  for (const std::string& suffix : {concat(".", host), std::string()}) {
    if (std::string header = trimmed_secret(access, "GIT_AUTH_HEADER" + suffix); !header.empty())
      return header;
    if (const std::string token = trimmed_secret(access, "GIT_AUTH_TOKEN" + suffix); !token.empty())
      return concat("basic ", base64_encode("x-access-token:" + token));
  }
  const std::string user = userinfo_of(remote);
  return user.empty() ? std::string() : concat("basic ", base64_encode(user));
}

/// What ssh may be told of a path: it splits option values at blanks and takes "%" for a token.
std::string ssh_path(const fs::path& path) {
  std::string out = "\"";
  for (const char c : path.native()) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out + "\"";
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

void need_program(const char* name, const char* package, const GitUrl& url) {
  if (find_program(name)) return;
  HostError missing(concat(shown_git_url(url), " needs the program ", name, ", which is not installed"));
  missing.set_hint(concat("install it: apt-get install ", package));
  throw missing;
}

/// The line that says what went wrong, without git's prefix.
std::string main_complaint(const std::string& complaint) {
  std::string last;
  for (const std::string& line : split(complaint, '\n')) {
    for (const std::string_view prefix : {"fatal: ", "remote: ERROR: ", "ERROR: ", "error: "}) {
      if (!line.starts_with(prefix)) continue;
      const std::string text = line.substr(prefix.size());
      if (text.starts_with("Could not read from remote repository")) continue;  // ssh has said why
      if (prefix == "fatal: ") return text;
      last = text;
    }
  }
  if (!last.empty()) return last;
  const std::vector<std::string> lines = split(trim(complaint), '\n');
  return lines.empty() ? "git failed" : lines.front();
}

}  // namespace

GitCommand::GitCommand(const GitUrl& url, const GitAccess& access, fs::path home)
    : url_(url),
      remote_(url.remote),
      scheme_(scheme_of(url.remote)),
      access_(access),
      home_(std::move(home)) {
  need_program("git", "git", url);
  if (scheme_ == "ssh") need_program("ssh", "openssh-client", url);
  if (!is_http(scheme_)) return;
  authorization_ = Secret(authorization_for(remote_, access));
  remote_ = without_credentials(remote_);
}

std::vector<std::string> GitCommand::environment(const Run& run) const {
  std::vector<std::string> env{"GIT_TERMINAL_PROMPT=0",
                               "GIT_ASKPASS=/bin/true",
                               "GIT_CONFIG_NOSYSTEM=1",
                               "GIT_CONFIG_GLOBAL=/dev/null",
                               "GIT_ATTR_NOSYSTEM=1",
                               "GIT_OPTIONAL_LOCKS=0",
                               "LC_ALL=C",
                               concat("HOME=", home_.native())};
  for (const char* name : {"PATH", "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY",
                           "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"})
    if (const char* value = std::getenv(name)) env.push_back(concat(name, "=", value));
  // A repository from a file system is somebody's own wish; one that another repository names never is.
  const char* allowed = run.local || scheme_ == "file" ? "file:https:http:ssh:git" : "https:http:ssh:git";
  env.push_back(concat("GIT_ALLOW_PROTOCOL=", allowed));

  std::vector<std::pair<std::string, std::string>> config{{"core.hooksPath", "/dev/null"},
                                                          {"core.fsmonitor", "false"},
                                                          {"core.attributesFile", "/dev/null"},
                                                          {"credential.helper", ""},
                                                          {"protocol.version", "2"},
                                                          {"gc.auto", "0"},
                                                          {"maintenance.auto", "false"},
                                                          {"advice.detachedHead", "false"},
                                                          {"init.defaultBranch", "master"},
                                                          {"init.templateDir", ""},
                                                          {"fetch.recurseSubmodules", "false"},
                                                          {"http.lowSpeedLimit", "1"},
                                                          {"http.lowSpeedTime", "60"}};
  if (!authorization_.empty() && !run.local) {
    // For this server only: submodules may lie elsewhere.
    const std::size_t host_end = remote_.find('/', remote_.find("://") + 3);
    config.emplace_back(concat("http.", remote_.substr(0, host_end), "/.extraheader"),
                        concat("Authorization: ", authorization_.reveal()));
  }
  for (std::size_t i = 0; i < config.size(); ++i) {
    env.push_back(concat("GIT_CONFIG_KEY_", i, "=", config[i].first));
    env.push_back(concat("GIT_CONFIG_VALUE_", i, "=", config[i].second));
  }
  env.push_back(concat("GIT_CONFIG_COUNT=", config.size()));

  if (!access_.ssh_auth_sock.empty()) env.push_back(concat("SSH_AUTH_SOCK=", access_.ssh_auth_sock));
  std::string known = ssh_path(home_ / "known_hosts");
  if (!access_.known_hosts.empty()) known += " " + ssh_path(access_.known_hosts);
  env.push_back(concat(
      "GIT_SSH_COMMAND=ssh -F none -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15",
      " -o StrictHostKeyChecking=accept-new -o ForwardAgent=no -o UserKnownHostsFile=", shell_quoted(known)));
  return env;
}

std::string GitCommand::run(const Run& run, const GitLog& log, const std::stop_token& stop) const {
  std::string out, complaint;
  Command command{.argv = {"git"},
                  .environment = environment(run),
                  .directory = run.directory.empty() ? home_ : run.directory,
                  .input = {},
                  .on_output =
                      [&](int stream, std::string_view bytes) {
                        std::string& taken = stream == 1 ? out : complaint;
                        if (stream == 1 && out.size() + bytes.size() > kMostOutput)
                          throw InvalidInput(concat(shown_git_url(url_), ": the repository lists more than ",
                                                    human_bytes(kMostOutput), " of names"));
                        if (stream == 1 || complaint.size() < kMostComplaint) taken += bytes;
                        if (stream == 2 && log) log(bytes);
                      },
                  .child_setup =
                      [] {
                        ::umask(022);  // the modes of what is checked out
                        return 0;
                      }};
  if (!run.work_tree.empty()) command.argv.push_back(concat("--work-tree=", run.work_tree.native()));
  if (!run.git_dir.empty()) command.argv.push_back(concat("--git-dir=", run.git_dir.native()));
  command.argv.insert(command.argv.end(), run.args.begin(), run.args.end());
  if (!run_process(command, stop).ok()) failure(complaint);
  return out;
}

std::optional<std::string> GitCommand::try_run(const Run& wanted, const std::stop_token& stop) const {
  try {
    return run(wanted, {}, stop);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void GitCommand::failure(const std::string& complaint) const {
  const std::string shown = shown_git_url(url_);
  const std::string why = main_complaint(complaint);
  const auto says = [&](std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts)
      if (complaint.find(text) != std::string::npos) return true;
    return false;
  };
  const std::string token = concat("--secret id=GIT_AUTH_TOKEN.", git_host(url_.remote), ",env=VARIABLE");
  if (says({"could not read Username", "Authentication failed", "terminal prompts disabled",
            "returned error: 401", "returned error: 403"})) {
    Denied denied(concat(shown, ": the server wants to know who asks (or has no such repository)"));
    denied.set_hint(authorization_.empty()
                        ? concat("check the URL; for a private repository give a token: ", token)
                        : "the credentials that were given do not open it");
    throw denied;
  }
  if (says({"Permission denied (publickey", "Permission denied, please try again"})) {
    Denied denied(concat(shown, ": the server takes none of our ssh keys"));
    denied.set_hint(
        access_.ssh_auth_sock.empty()
            ? "there is no ssh agent: start one and add a key (ssh-agent, ssh-add), then build again"
            : "add the right key to the agent: ssh-add FILE");
    throw denied;
  }
  if (says({"Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"}))
    throw Denied(concat(shown, ": the server's ssh key is not the one that is known for it"));
  if (says({"transport '", "protocol '"}) && says({"not allowed"}))
    throw InvalidInput(concat(shown, ": ", why));
  if (says({"Could not resolve host", "Connection refused", "Connection timed out", "Connection reset",
            "unable to connect", "Failed to connect", "Couldn't connect", "early EOF", "returned error: 5",
            "unexpected disconnect", "Operation too slow", "the remote end hung up", "No route to host",
            "Could not resolve hostname"}) &&
      !says(
          {"access denied or repository not exported", "does not appear to be a git repository", "ot found"}))
    throw TransportError(concat(shown, ": ", why), /*retryable=*/true);
  if (says({"ot found", "does not appear to be a git repository", "repository not exported",
            "does not exist"}) &&
      !says({"remote ref"})) {
    NotFound missing(concat(shown, ": there is no such repository"));
    missing.set_hint(concat(
        "check the URL", is_http(scheme_) ? concat("; for a private repository give a token: ", token) : ""));
    throw missing;
  }
  throw InvalidInput(concat(shown, ": ", why));
}

}  // namespace slipway
