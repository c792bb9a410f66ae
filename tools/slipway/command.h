#pragma once
// What the command line asks for, as one function to run. Each cli_*.cc adds its subcommand to the parser and
// fills this in when that subcommand was given.
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "runtime/confine.h"

namespace CLI {
class App;
}

namespace slipway {

class Logger;

/// Handed to a command when it runs.
struct CommandContext {
  Logger& logger;
  std::stop_token stop;  ///< Ctrl-C
  std::filesystem::path store_root;
  std::string config;       ///< --config
  Confinement confinement;  ///< how this process runs, and how steps can
};

struct Chosen {
  std::function<int(CommandContext&)> run;  ///< returns the exit code; throws Error
  std::string config;                       ///< --config
  bool confined = false;          ///< needs mounts or other users' files: run in namespaces of its own
  bool tells_of_refusal = false;  ///< runs also where that is refused, and says so: Confinement::refusal
};

void add_build_command(CLI::App& app, Chosen& chosen);
void add_bootstrap_command(CLI::App& app, Chosen& chosen);
void add_du_command(CLI::App& app, Chosen& chosen);
void add_import_command(CLI::App& app, Chosen& chosen);
void add_explain_command(CLI::App& app, Chosen& chosen);
void add_history_command(CLI::App& app, Chosen& chosen);
void add_images_command(CLI::App& app, Chosen& chosen);
void add_prune_command(CLI::App& app, Chosen& chosen);
void add_qemu_command(CLI::App& app, Chosen& chosen);
void add_store_command(CLI::App& app, Chosen& chosen);
void add_version_command(CLI::App& app, Chosen& chosen);

}  // namespace slipway
