#include "nodes/ssh_agents.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"

namespace slipway {

namespace fs = std::filesystem;

/// ssh-agent with some keys, for as long as this lives. Its socket is in the system's temporary directory, as
/// the address of a socket must be short.
class SshAgents::KeyAgent {
 public:
  /// Whoever comes first starts it, others wait for that. Who comes after a failure tries again.
  const fs::path& ready(const std::vector<fs::path>& keys, const std::stop_token& stop) {
    std::call_once(started_, [&] {
      if (!agent_.joinable()) start(stop);
      for (const fs::path& key : keys) add(key, stop);
    });
    return socket_;
  }

 private:
  void start(const std::stop_token& stop) {
    for (const char* program : {"ssh-agent", "ssh-add"})
      if (!find_program(program)) {
        HostError error(concat(program, ", which key files of --ssh need, is not installed"));
        error.set_hint("apt-get install openssh-client, or forward a running agent: --ssh ID=SOCKET");
        throw error;
      }
    agent_ = std::jthread([this](const std::stop_token& end) { run(end); });
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return listening_ || ended_; })) throw Cancelled{};
    if (!listening_) throw HostError(concat("ssh-agent does not start: ", trim(said_)));
  }

  // In the foreground it says where it listens once it does so.
  void run(const std::stop_token& end) noexcept {
    std::string said;
    try {
      Command command{.argv = {"ssh-agent", "-D", "-a", socket_.native()}};
      command.on_output = [this](int, std::string_view bytes) {
        const std::scoped_lock lock(mutex_);
        said_ += bytes;
        listening_ = listening_ || said_.find("SSH_AUTH_SOCK=") != std::string::npos;
        changed_.notify_all();
      };
      run_process(command, end);
    } catch (const Cancelled&) {
    } catch (const std::exception& e) {
      said = e.what();
    }
    const std::scoped_lock lock(mutex_);
    said_ += said;
    ended_ = true;
    changed_.notify_all();
  }

  // Nobody is asked for a passphrase: there is neither a terminal nor an askpass program.
  void add(const fs::path& key, const std::stop_token& stop) const {
    const std::string bytes = read_file(key, std::size_t{100} << 10);
    const ProcessResult added = run_process(
        {.argv = {"ssh-add", "-q", "-"},
         .environment = std::vector<std::string>{concat("SSH_AUTH_SOCK=", socket_.native()),
                                                 "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS=/bin/false"},
         .input = bytes},
        stop);
    if (added.ok()) return;
    const std::string_view why = trim(added.err);
    UsageError error(
        concat("--ssh: the key ", key.native(), " cannot be used", why.empty() ? "" : ": ", why));
    error.set_hint("keys with a passphrase must be in an agent that runs: --ssh ID=SOCKET");
    throw error;
  }

  TempDir directory_{{}, "slipway-ssh"};
  fs::path socket_ = directory_.path() / "agent";
  std::once_flag started_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string said_;
  bool listening_ = false, ended_ = false;
  std::jthread agent_;  // last: ends before what it uses
};

SshAgents::SshAgents(std::map<std::string, SshSource> sources) : sources_(std::move(sources)) {}
SshAgents::~SshAgents() = default;

fs::path SshAgents::socket(const std::string& id, std::stop_token stop) {
  const auto source = sources_.find(id);
  if (source == sources_.end()) return {};
  if (!source->second.socket.empty()) return source->second.socket;
  std::shared_ptr<KeyAgent> agent;
  {
    auto started = started_.lock();
    std::shared_ptr<KeyAgent>& known = (*started)[id];
    if (!known) known = std::make_shared<KeyAgent>();
    agent = known;
  }
  return agent->ready(source->second.keys, stop);
}

}  // namespace slipway
