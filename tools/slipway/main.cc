// The way in: reads the command line, enters namespaces where the command needs them, turns errors into
// messages and exit codes (0 ok, 1 build failed, 2 usage, 3 infrastructure, 4 authentication, 130 cancelled).
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/logger.h"
#include "base/strings.h"
#include "content/store.h"
#include "runtime/confine.h"
#include "slipway/command.h"
#include "slipway/signals.h"
#include "slipway/terminal_text.h"
#include "slipway/version.h"

namespace slipway {

namespace {

constexpr int kUsageExit = 2;
constexpr int kCancelledExit = 130;

// Dockerfiles and registries are quoted in messages; a terminal must not obey them.
void print_error(const std::string& text) {
  std::cerr << "ERROR: " << join(clean_lines(text), "\n") << std::endl;
}

LogLevel log_threshold() {
  const char* level = std::getenv("SLIPWAY_LOG");
  if (!level) return LogLevel::Warning;
  return std::string_view(level) == "debug" ? LogLevel::Debug : LogLevel::Info;
}

int guarded(const std::function<int()>& work) {
  try {
    return work();
  } catch (const Cancelled&) {
    print_error("cancelled");
    return kCancelledExit;
  } catch (const Error& e) {
    print_error(describe(e));
    return exit_code_for(e);
  } catch (const std::filesystem::filesystem_error& e) {
    print_error(concat(e.code().message(), ": ", e.path1().native()));
    return 3;
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
    return 3;
  } catch (const std::exception& e) {
    print_error(concat("internal error: ", e.what()));
    return 3;
  }
}

/// Mount options, an OCI spec and a database must be able to carry the path.
std::filesystem::path checked_root(const std::string& root) {
  const std::filesystem::path path = root.empty() ? default_store_root() : std::filesystem::absolute(root);
  constexpr std::size_t kLongest = 1000;
  if (path.native().size() > kLongest)
    throw UsageError(concat("--root: the path is longer than ", kLongest, " bytes"));
  if (clean_line(path.native()) != path.native() || path.native().find("\xef\xbf\xbd") != std::string::npos)
    throw UsageError("--root: the path has control characters or is not UTF-8");
  return path;
}

int run_command(const Chosen& chosen, const std::string& root, const Confinement& confinement) {
  return guarded([&] {
    StderrLogger logger(log_threshold());
    const StopSignals signals;
    CommandContext context{.logger = logger,
                           .stop = signals.token(),
                           .store_root = checked_root(root),
                           .config = chosen.config,
                           .confinement = confinement};
    if (!confinement.many_ids)
      logger.log(LogLevel::Info, "one user id is mapped: files of other owners become the step's root's");
    return chosen.run(context);
  });
}

int run_where_allowed(const Chosen& chosen, const std::string& root, const std::string& isolation) {
  try {
    return run_confined(
        [&](const Confinement& confinement) { return run_command(chosen, root, confinement); },
        parse_isolation(isolation));
  } catch (const HostError& e) {
    if (!chosen.tells_of_refusal) throw;
    return run_command(chosen, root, {.possible = false, .refusal = describe(e)});
  }
}

/// CLI11's messages, with what a person may have meant.
int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
  std::string message = error.what();
  std::vector<std::string> known;
  const CLI::App* current = &app;
  while (!current->get_subcommands().empty()) current = current->get_subcommands().front();
  for (const CLI::Option* option : current->get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (const CLI::App* sub : current->get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(sub->get_name());
  std::vector<std::string> extra = app.remaining(true);
  std::ranges::stable_partition(extra, [](const std::string& word) { return word.starts_with("-"); });
  if (!extra.empty()) {
    const std::string word = extra.front().substr(0, extra.front().find('='));
    message = concat(word.starts_with("-") ? "unknown flag: " : "unknown command or argument: ", word);
    if (const auto near = closest_match(word, known)) message += concat(" (did you mean ", *near, "?)");
  }
  print_error(concat(message, "\n  see: ", app.get_name(), current == &app ? "" : " " + current->get_name(),
                     " --help"));
  return kUsageExit;
}

int run_main(int argc, char** argv) {
  CLI::App app{"Build one Dockerfile for many platforms; publish one image", "slipway"};
  app.require_subcommand(1);
  std::string root;
  app.add_option("--root", root,
                 "The store's directory (default: $SLIPWAY_ROOT, /var/lib/slipway or ~/.local/share/slipway)")
      ->type_name("DIR");
  std::string isolation;
  app.add_option("--isolation", isolation,
                 "How steps are kept apart: auto (the best that is allowed here), oci, chroot or proot")
      ->type_name("TIER")
      ->envname("SLIPWAY_ISOLATION");
  Chosen chosen;
  app.add_option("--config", chosen.config,
                 "Settings (default: $SLIPWAY_CONFIG, ~/.config/slipway/slipway.toml or "
                 "/etc/slipway/slipway.toml)")
      ->type_name("FILE");
  app.set_version_flag("--version", concat("slipway ", kVersion));
  app.fallthrough();  // these may stand behind the subcommand too
  add_build_command(app, chosen);
  add_bootstrap_command(app, chosen);
  add_import_command(app, chosen);
  add_explain_command(app, chosen);
  add_history_command(app, chosen);
  add_images_command(app, chosen);
  add_du_command(app, chosen);
  add_prune_command(app, chosen);
  add_qemu_command(app, chosen);
  add_store_command(app, chosen);
  add_version_command(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  ::signal(SIGPIPE, SIG_IGN);
  if (!chosen.confined) return run_command(chosen, root, {});
  return guarded([&] { return run_where_allowed(chosen, root, isolation); });
}

}  // namespace

}  // namespace slipway

int main(int argc, char** argv) { return slipway::run_main(argc, argv); }
