#include "runtime/network_files.h"

#include <sys/utsname.h>

#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

bool has_only_the_stub(const std::string& text) {
  bool stub = false;
  for (const std::string& line : split(text, '\n')) {
    std::istringstream words(line);
    std::string key, address;
    if (!(words >> key >> address) || key != "nameserver") continue;
    if (address != "127.0.0.53") return false;
    stub = true;
  }
  return stub;
}

std::optional<std::string> read_if_possible(const std::filesystem::path& path) {
  try {
    return read_file_if_exists(path);
  } catch (const SystemError&) {  // no right to read it: the step does without names
    return std::nullopt;
  }
}

}  // namespace

std::string hosts_file(std::string_view hostname, const std::vector<ExtraHost>& extra) {
  std::string text =
      concat("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n",
             "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n127.0.1.1\t", hostname, "\n");
  for (const ExtraHost& host : extra) text += concat(host.address, "\t", host.host, "\n");
  return text;
}

std::string hosts_file_of_machine(std::string_view hostname, const std::vector<ExtraHost>& extra) {
  struct utsname machine {};
  ::uname(&machine);
  return concat(hosts_file(hostname, extra), "127.0.1.1\t", machine.nodename, "\n");
}

std::string resolver_file(NetworkMode network, const std::filesystem::path& host_root) {
  const std::string text = read_if_possible(host_root / "etc/resolv.conf").value_or("");
  // Sandbox shares the host's network here: only None does not.
  if (network != NetworkMode::None || !has_only_the_stub(text)) return text;
  return read_if_possible(host_root / "run/systemd/resolve/resolv.conf").value_or(text);
}

}  // namespace slipway
