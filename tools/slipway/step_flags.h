#pragma once
// --secret and --ssh: what steps are given from outside, as buildx writes it.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "nodes/ssh_agents.h"

namespace slipway {

/// id=NAME[,src=FILE|,env=VARIABLE][,type=file|env]; without either, the variable NAME or the file NAME.
/// Reads it. Throws UsageError.
std::pair<std::string, Secret> read_secret(const std::string& text);

/// ID[=SOCKET|=KEYFILE[,KEYFILE]] each; ID alone is the agent of $SSH_AUTH_SOCK. Throws UsageError.
std::map<std::string, SshSource> parse_ssh(const std::vector<std::string>& texts);

}  // namespace slipway
