#include "slipway/step_flags.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {

namespace {

namespace fs = std::filesystem;

SshSource agent_of_environment(const std::string& id) {
  const char* socket = std::getenv("SSH_AUTH_SOCK");
  if (socket && *socket) return {.socket = fs::absolute(socket), .keys = {}};
  UsageError error(concat("--ssh ", id, ": SSH_AUTH_SOCK is not set, so there is no ssh agent to forward"));
  error.set_hint(
      concat("start one (eval $(ssh-agent); ssh-add), or name a socket or key files: --ssh ", id, "=PATH"));
  throw error;
}

SshSource source_of(const std::string& id, const std::vector<std::string>& paths) {
  SshSource source;
  for (const std::string& path : paths) {
    if (path == "raw=false") continue;
    if (path.starts_with("raw="))
      throw UsageError(concat("--ssh ", id, ": ", path, " is not supported; only ssh agents are forwarded"));
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
      throw UsageError(concat("--ssh ", id, ": ", SystemError(errno, "stat", path).what()));
    if (S_ISSOCK(status.st_mode) && source.socket.empty()) {
      source.socket = fs::absolute(path);
    } else if (S_ISSOCK(status.st_mode)) {
      throw UsageError(concat("--ssh ", id, ": more than one socket"));
    } else {
      source.keys.push_back(fs::absolute(path));
    }
  }
  if (!source.socket.empty() && !source.keys.empty())
    throw UsageError(concat("--ssh ", id, ": either a socket or key files, not both"));
  return source;
}

}  // namespace

std::pair<std::string, Secret> read_secret(const std::string& text) {
  std::string id, file, variable, type;
  for (const std::string& field : split_csv(text)) {
    const std::size_t equals = field.find('=');
    if (equals == std::string::npos) throw UsageError(concat("--secret: \"", field, "\" is not KEY=VALUE"));
    const std::string key = to_lower(field.substr(0, equals)), value = field.substr(equals + 1);
    if (key == "id")
      id = value;
    else if (key == "src" || key == "source")
      file = value;
    else if (key == "env")
      variable = value;
    else if (key == "type")
      type = value;
    else
      throw UsageError(concat("--secret: unknown key \"", key, "\" (id, src, env, type)"));
  }
  if (!type.empty() && type != "file" && type != "env")
    throw UsageError(concat("--secret: type=", type, " is neither file nor env"));
  if (type == "env" && variable.empty()) std::swap(variable, file);
  if (id.empty()) id = file.empty() ? variable : file;
  if (id.empty()) throw UsageError("--secret: id= is missing");
  if (file.empty() && variable.empty()) {
    if (std::getenv(id.c_str()) && type != "file")
      variable = id;
    else
      file = id;
  }
  if (!variable.empty()) {
    const char* value = std::getenv(variable.c_str());
    if (!value) throw UsageError(concat("--secret id=", id, ": the environment has no variable ", variable));
    return {id, Secret(value)};
  }
  try {
    return {id, Secret(read_file(file, 500 * 1024))};
  } catch (const Error& e) {
    throw UsageError(concat("--secret id=", id, ": ", e.what()));
  }
}

std::map<std::string, SshSource> parse_ssh(const std::vector<std::string>& texts) {
  std::map<std::string, SshSource> sources;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::string id = equals == 0 || text.empty() ? "default" : text.substr(0, equals);
    std::vector<std::string> paths;
    if (equals != std::string::npos) paths = split(std::string_view(text).substr(equals + 1), ',');
    std::erase(paths, "");
    SshSource source = paths.empty() ? agent_of_environment(id) : source_of(id, paths);
    if (!sources.emplace(id, std::move(source)).second)
      throw UsageError(concat("--ssh ", id, ": given twice"));
  }
  return sources;
}

}  // namespace slipway
