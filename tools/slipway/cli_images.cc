// `slipway images`: what the store holds by name, with the platforms of each.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/strings.h"
#include "content/store.h"
#include "manifest/media_types.h"
#include "slipway/command.h"
#include "slipway/open_store.h"
#include "slipway/table.h"

namespace slipway {

namespace {

struct Shown {
  std::vector<std::string> platforms;
  std::uint64_t size = 0;
};

void add_manifest(Store& store, const Descriptor& descriptor, Shown& shown) {
  const Manifest manifest = parse_manifest(store.blobs().read(descriptor.digest)).value;
  for (const Descriptor& layer : manifest.layers) shown.size += layer.size;
  if (!manifest.config) return;
  shown.size += manifest.config->size;
  if (is_attestation(descriptor)) return;  // its config is none of an image
  shown.platforms.push_back(
      parse_image_config(store.blobs().read(manifest.config->digest)).value.platform.str());
}

Shown contents_of(Store& store, const Descriptor& image) {
  Shown shown;
  if (media_type::is_index(image.media_type)) {
    for (const Descriptor& entry : parse_index(store.blobs().read(image.digest)).value.manifests)
      if (media_type::is_manifest(entry.media_type) && store.blobs().has(entry.digest))
        add_manifest(store, entry, shown);
  } else {
    add_manifest(store, image, shown);
  }
  return shown;
}

std::string as_table(Store& store) {
  Table table({"NAME", "DIGEST", "PLATFORMS", "SIZE", "UPDATED"});
  for (const StoredImage& image : store.images().list()) {
    const Shown shown = contents_of(store, image.descriptor);
    const std::string updated = rfc3339(image.updated);
    table.add({image.name.familiar(), concat("sha256:", image.descriptor.digest.short_hex()),
               join(shown.platforms, ","), human_bytes(shown.size), updated});
  }
  return table.text();
}

std::string as_json(Store& store) {
  std::string lines;
  for (const StoredImage& image : store.images().list()) {
    const Shown shown = contents_of(store, image.descriptor);
    const nlohmann::ordered_json line = {{"name", image.name.str()},
                                         {"digest", image.descriptor.digest.str()},
                                         {"mediaType", image.descriptor.media_type},
                                         {"platforms", shown.platforms},
                                         {"size", shown.size},
                                         {"updated", rfc3339(image.updated)}};
    lines += line.dump() + "\n";
  }
  return lines;
}

}  // namespace

void add_images_command(CLI::App& app, Chosen& chosen) {
  auto format = std::make_shared<std::string>("table");
  CLI::App* images = app.add_subcommand("images", "List the images in the store");
  images->add_option("--format", *format, "table or json (one object a line)")
      ->check(CLI::IsMember({"table", "json"}));
  images->callback([format, &chosen] {
    chosen.confined = true;  // opening a store clears what dead processes left, which may be of other owners
    chosen.run = [format](CommandContext& context) {
      const auto store = open_store(context);
      write_all(STDOUT_FILENO, *format == "json" ? as_json(*store) : as_table(*store), "stdout");
      return 0;
    };
  });
}

}  // namespace slipway
