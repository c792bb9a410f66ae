// docker's config.json. For a host, in docker's order: its own entry in credHelpers, then credsStore, then auths.
#include "registry/credentials.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "manifest/json_reader.h"
#include "registry/answers.h"
#include "registry/sigpipe.h"

namespace slipway {
namespace {

constexpr std::string_view kHubKey = "https://index.docker.io/v1/";
// What helpers and docker call an identity token's user name.
constexpr std::string_view kTokenUser = "<token>";

std::filesystem::path default_config_file() {
  if (const char* directory = std::getenv("DOCKER_CONFIG"); directory && *directory)
    return std::filesystem::path(directory) / "config.json";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::filesystem::path(home) / ".docker" / "config.json";
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(16 * 1024);
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found)
    return std::filesystem::path(found->pw_dir) / ".docker" / "config.json";
  return {};
}

// A key of config.json ("https://index.docker.io/v1/", "registry.example.com") as a reference's domain.
std::string host_of_key(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  const std::string host = to_lower(key.substr(0, key.find('/')));
  const bool hub = host == "index.docker.io" || host == "registry-1.docker.io";
  return hub ? "docker.io" : host;
}

// Docker Desktop keeps OAuth tokens under keys that look like the hub's but are no passwords.
bool is_oauth_key(std::string_view key) {
  return key.ends_with("/access-token") || key.ends_with("/refresh-token");
}

struct DockerConfig {
  std::map<std::string, Credentials> auths;       ///< by domain
  std::map<std::string, std::string> helpers;     ///< by domain
  std::string store;
};

std::optional<Credentials> read_auth(const JsonNode& entry) {
  Credentials out{.username = entry.string_or("username"), .password = Secret(entry.string_or("password"))};
  if (const std::string token = entry.string_or("identitytoken"); !token.empty())
    return Credentials{.username = {}, .password = Secret(token)};
  if (const std::string encoded = entry.string_or("auth"); !encoded.empty()) {
    std::string decoded = base64_decode(encoded);
    while (!decoded.empty() && decoded.back() == '\0') decoded.pop_back();
    const std::size_t colon = decoded.find(':');
    if (colon == std::string::npos || colon == 0) entry.refuse("\"auth\" is not base64 of USER:PASSWORD");
    out = {.username = decoded.substr(0, colon), .password = Secret(decoded.substr(colon + 1))};
  }
  if (out.username == kTokenUser) out.username.clear();
  if (out.username.empty() && out.password.empty()) return std::nullopt;
  return out;
}

void check_helper_name(const JsonNode& node, const std::string& name) {
  const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (!plain) node.refuse("not the name of a credential helper");
}

DockerConfig read_config(const std::string& text, const std::string& name) {
  DockerConfig out;
  const JsonDocument document(text, name);
  const JsonNode root = document.root();
  if (const auto auths = root.find("auths")) {
    for (const auto& [key, entry] : auths->members()) {
      if (is_oauth_key(key)) continue;
      const auto credentials = read_auth(entry);
      if (!credentials) continue;
      const std::string host = host_of_key(key);
      // "registry.example.com" is meant more exactly than "https://registry.example.com/v1/".
      if (key == host) {
        out.auths.insert_or_assign(host, *credentials);
      } else {
        out.auths.emplace(host, *credentials);
      }
    }
  }
  if (const auto helpers = root.find("credHelpers")) {
    for (const auto& [key, helper] : helpers->members()) {
      if (helper.string().empty()) continue;
      check_helper_name(helper, helper.string());
      out.helpers.emplace(host_of_key(key), helper.string());
    }
  }
  if (const auto store = root.find("credsStore"); store && !store->string().empty()) {
    out.store = store->string();
    check_helper_name(*store, out.store);
  }
  return out;
}

std::optional<Credentials> read_helper_answer(const std::string& text, const std::string& program) {
  const JsonDocument document(text, concat("answer of ", program));
  const JsonNode root = document.root();
  Credentials out{.username = root.string_or("Username"), .password = Secret(root.string_or("Secret"))};
  if (out.username == kTokenUser) out.username.clear();
  if (out.username.empty() && out.password.empty()) return std::nullopt;
  return out;
}

// The helpers' protocol: the key on stdin, JSON on stdout; "credentials not found…" and exit code 1 for nothing.
std::optional<Credentials> ask_helper(const std::string& helper, const std::string& host, const std::string& config) {
  const std::string program = concat("docker-credential-", helper);
  if (!find_program(program)) {
    HostError error(concat(program, ", which ", config, " names, is not in PATH"));
    error.set_hint(concat("install it, or remove it from ", config));
    throw error;
  }
  Command command{.argv = {program, "get"}, .input = host == "docker.io" ? std::string(kHubKey) : host};
  const SigpipeHeldBack no_sigpipe;  // a helper may end without reading its input
  const ProcessResult result = run_process(command);
  if (result.ok()) return read_helper_answer(result.out, program);
  if (to_lower(result.out).find("credentials not found") != std::string::npos) return std::nullopt;
  const std::string said = printable(result.err.empty() ? std::string_view("it said nothing") : result.err);
  throw HostError(concat(program, " get ", host, " failed (exit code ", result.exit_code, "): ", said));
}

class DockerConfigCredentials final : public CredentialSource {
 public:
  explicit DockerConfigCredentials(std::filesystem::path file) : file_(std::move(file)) {}

  std::optional<Credentials> find(const std::string& domain) override {
    std::call_once(read_, [this] { load(); });  // a failed read is tried again by the next caller
    const std::string host = host_of_key(domain);
    if (const auto it = config_.helpers.find(host); it != config_.helpers.end())
      return ask_helper(it->second, host, file_);
    if (!config_.store.empty())
      if (auto found = ask_helper(config_.store, host, file_)) return found;
    const auto it = config_.auths.find(host);
    if (it == config_.auths.end()) return std::nullopt;
    return it->second;
  }

 private:
  void load() {
    if (file_.empty()) return;
    const auto text = read_file_if_exists(file_);
    if (text && !trim(*text).empty()) config_ = read_config(*text, file_);
  }

  const std::filesystem::path file_;
  std::once_flag read_;
  DockerConfig config_;  ///< constant after `read_`
};

}  // namespace

std::shared_ptr<CredentialSource> docker_config_credentials(std::filesystem::path config_file) {
  if (config_file.empty()) config_file = default_config_file();
  return std::make_shared<DockerConfigCredentials>(std::move(config_file));
}

}  // namespace slipway
