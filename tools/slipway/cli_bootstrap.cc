// `slipway bootstrap debian` and `slipway import`: images that come from no registry.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "build/bootstrap.h"
#include "build/import_image.h"
#include "build/publish.h"
#include "build/source_date_epoch.h"
#include "slipway/build_session.h"
#include "slipway/command.h"
#include "slipway/tags.h"

namespace slipway {

namespace {

struct ImageFlags {
  std::vector<std::string> platforms, tags;
  std::string progress;
  bool push = false;
};

std::vector<Platform> platforms_of(const ImageFlags& flags) {
  std::vector<Platform> platforms;
  for (const std::string& list : flags.platforms)
    for (const Platform& platform : parse_platform_list(list)) platforms.push_back(platform);
  if (platforms.empty()) platforms.push_back(Platform::host());
  return platforms;
}

std::optional<std::int64_t> epoch_of_environment() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  return text ? parse_source_date_epoch(text) : std::nullopt;
}

void push_image(BuildSession& session, const Descriptor& index, const std::vector<ImageRef>& names,
                std::stop_token stop) {
  ImageSource source(session.store(), session.registry());
  Publisher publisher(session.store(), session.registry(), source);
  for (const Descriptor& manifest : parse_index(session.store().blobs().read(index.digest)).value.manifests)
    publisher.upload_image(manifest, names, {}, stop);
  publisher.move_tags(index, names, stop);
}

/// Named in the store last: if the push fails, nothing has the name.
int finish(BuildSession& session, const ImageFlags& flags, const std::vector<ImageRef>& names,
           const std::vector<AssembledImage>& images, bool append, std::stop_token stop) {
  const Descriptor index =
      assemble_imported(session.store(), images, append ? std::optional(names.front()) : std::nullopt);
  if (flags.push) push_image(session, index, names, stop);
  session.store().images().set(names, index);
  session.close();
  for (const AssembledImage& image : images)
    write_all(STDERR_FILENO,
              concat(image.manifest.platform->str(), "  sha256:", image.manifest.digest.short_hex(), "  ",
                     human_bytes(image.size()), "\n"),
              "stderr");
  write_all(STDOUT_FILENO, index.digest.str() + "\n", "stdout");
  return 0;
}

void add_image_options(CLI::App& command, ImageFlags& flags) {
  command
      .add_option("--platform", flags.platforms,
                  "Platforms, e.g. linux/amd64,linux/arm64 (default: this machine's)")
      ->type_name("LIST")
      ->allow_extra_args(false);
  command.add_option("-t,--tag", flags.tags, "Name of the image; may be repeated")
      ->type_name("NAME")
      ->required()
      ->allow_extra_args(false);
  command.add_flag("--push", flags.push, "Push it as well");
  command.add_option("--progress", flags.progress, "auto, plain, tty, rawjson, quiet or none")
      ->type_name("MODE");
}

struct BootstrapFlags : ImageFlags {
  std::string suite = "bookworm", mirror;
  std::vector<std::string> include;
  bool extract_only = false;
};

int run_bootstrap(const BootstrapFlags& flags, CommandContext& context) {
  if (!context.confinement.many_ids) {
    HostError one_id("bootstrap unpacks files of several owners, and only one user id is mapped here");
    one_id.set_hint(
        "apt-get install uidmap, and give this user a range: usermod --add-subuids 100000-165535 "
        "--add-subgids 100000-165535 USER");
    throw one_id;
  }
  BootstrapRequest request{.suite = flags.suite,
                           .mirror = flags.mirror,
                           .platforms = platforms_of(flags),
                           .extract_only = flags.extract_only,
                           .epoch = epoch_of_environment()};
  for (const std::string& list : flags.include)
    for (const std::string& package : split(list, ',')) request.include.push_back(package);
  const std::vector<ImageRef> names = parse_tags(flags.tags);
  BuildSession session(context, choose_progress(flags.progress));
  const std::vector<AssembledImage> images = bootstrap_debian(
      request, session.store(), session.emulators().search(), session.progress(), context.stop);
  return finish(session, flags, names, images, /*append=*/false, context.stop);
}

struct ImportFlags : ImageFlags {
  std::vector<std::string> archives;
  bool append = false;
};

int run_import(const ImportFlags& flags, CommandContext& context) {
  const std::vector<Platform> platforms = platforms_of(flags);
  if (platforms.size() != flags.archives.size())
    throw UsageError(concat("import: ", flags.archives.size(), " archives for ", platforms.size(),
                            " platforms; give one archive for each platform, in the same order"));
  const std::vector<ImageRef> names = parse_tags(flags.tags);
  BuildSession session(context, choose_progress(flags.progress));
  std::vector<AssembledImage> images;
  for (std::size_t i = 0; i < platforms.size(); ++i) {
    const UniqueFd fd =
        flags.archives[i] == "-" ? UniqueFd{::dup(STDIN_FILENO)} : open_file(flags.archives[i], O_RDONLY);
    try {
      images.push_back(import_rootfs(session.store(), fd.get(), platforms[i], "slipway import",
                                     epoch_of_environment(), context.stop));
    } catch (Error& e) {
      e.add_context(concat("importing ", flags.archives[i]));
      throw;
    }
  }
  return finish(session, flags, names, images, flags.append, context.stop);
}

}  // namespace

void add_bootstrap_command(CLI::App& app, Chosen& chosen) {
  CLI::App* bootstrap = app.add_subcommand("bootstrap", "Make base images without a registry");
  bootstrap->require_subcommand(1);
  CLI::App* debian =
      bootstrap->add_subcommand("debian", "A base image out of Debian packages (drives mmdebstrap)");
  auto flags = std::make_shared<BootstrapFlags>();
  add_image_options(*debian, *flags);
  debian->add_option("--suite", flags->suite, "Debian release")->capture_default_str()->type_name("NAME");
  debian->add_option("--mirror", flags->mirror, "Package mirror (default: as apt here is configured)")
      ->type_name("URL");
  debian->add_option("--include", flags->include, "More packages")
      ->type_name("LIST")
      ->allow_extra_args(false);
  debian->add_flag("--extract-only", flags->extract_only,
                   "Unpack the packages only: quick, without maintainer scripts");
  debian->callback([flags, &chosen] {
    chosen.confined = true;
    chosen.run = [flags](CommandContext& context) { return run_bootstrap(*flags, context); };
  });
}

void add_import_command(CLI::App& app, Chosen& chosen) {
  CLI::App* import =
      app.add_subcommand("import", "Make an image of root file system archives, one a platform");
  auto flags = std::make_shared<ImportFlags>();
  import->add_option("archive", flags->archives, "Tar files of root file systems; - is stdin")
      ->required()
      ->type_name("TAR");
  add_image_options(*import, *flags);
  import->add_flag("--append", flags->append, "Keep the platforms that the name has already");
  import->callback([flags, &chosen] {
    chosen.confined = true;
  chosen.run = [flags](CommandContext& context) { return run_import(*flags, context); };
});
}  // namespace slipway

}  // namespace slipway
