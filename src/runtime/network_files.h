#pragma once
// /etc/hosts and /etc/resolv.conf as a step sees them.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ops.h"

namespace slipway {

std::string hosts_file(std::string_view hostname, const std::vector<ExtraHost>& extra = {});
/// The same for a step that has the machine's own name, whatever it should be called.
std::string hosts_file_of_machine(std::string_view hostname, const std::vector<ExtraHost>& extra = {});

/// The host's resolv.conf. Where a step does not share the host's network, a stub resolver on 127.0.0.53
/// (systemd-resolved) cannot be reached: then the file with the servers behind it, if there is one. Empty if
/// there is none at all. `host_root` is "/" but in tests.
std::string resolver_file(NetworkMode network, const std::filesystem::path& host_root);

}  // namespace slipway
