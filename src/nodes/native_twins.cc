#include "nodes/native_twins.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "accel/graft.h"
#include "accel/guards.h"
#include "accel/siblings.h"
#include "base/error.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "qemu/elf.h"
#include "runtime/step_setup.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr const char* kTwinPlace = "/dev/.slipway";
constexpr const char* kCounts = "counts";

/// The twins of a pack go behind those that are there; of two for one program the first counts.
void add_pack(AcceleratedRoot& found, const Pack& pack, const fs::path& tree, const Platform& target,
              const RootedDir& root, PackageDatabase* database) {
  const PackageOwner owner =
      [database](const std::string& path) -> std::optional<std::pair<std::string, std::string>> {
    const auto file = database ? database->owner(path) : std::nullopt;
    if (!file) return std::nullopt;
    return std::pair(file->package.name, file->package.version);
  };
  const std::size_t index = found.trees.size();
  PackMatch match = match_pack(pack, RootedDir(tree), target, root, owner,
                               {.tree = index, .mounted_at = tree_in_step(index)});
  std::ranges::move(match.declined, std::back_inserter(found.declined));
  std::set<std::uint64_t> taken;
  for (const Twin& twin : found.twins) taken.insert(twin.identity.inode);
  std::erase_if(match.twins, [&](const Twin& twin) { return taken.contains(twin.identity.inode); });
  if (match.twins.empty()) return;
  found.trees.push_back(tree);
  if (found.machine.empty()) found.machine = pack.machine;
  std::ranges::move(match.twins, std::back_inserter(found.twins));
}

}  // namespace

NativeTwins::NativeTwins(Store& store, ImageSource& images, NativeTwinsOptions options)
    : store_(store), images_(images), options_(std::move(options)) {}
NativeTwins::~NativeTwins() = default;

MountedTree NativeTwins::tree_of(const SourceOp& image, const ItemProgress& progress, std::stop_token stop) {
  const auto snapshot = images_.unpack(image, progress, stop);
  if (!snapshot) throw InvalidInput(concat(image.identifier, " has no layers"));
  return store_.snapshots().view(*snapshot, stop);
}

void NativeTwins::load_sibling(Family& family, const SourceOp* image, const ItemProgress& progress,
                               std::stop_token stop) {
  if (family.sibling || !family.no_sibling.empty()) return;
  if (!image) {
    family.no_sibling = "its root does not begin as an image";
    return;
  }
  try {
    const auto sibling = images_.sibling(*image, options_.host, stop);
    if (!sibling) {
      family.no_sibling = concat("its base image has no ", options_.host.str(), " counterpart");
      return;
    }
    family.sibling.emplace(tree_of(*sibling, progress, stop));
    const ImageRef ref = ImageRef::parse(sibling->identifier.substr(sizeof "docker-image://" - 1));
    family.sibling_name = concat(ref.familiar(), " (", options_.host.str(), ")");
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    family.no_sibling =
        concat("the ", options_.host.str(), " counterpart of its base image cannot be had: ", e.what());
  }
}

std::vector<NativeTwins::LoadedPack>& NativeTwins::load_packs(State& state, const ItemProgress& progress,
                                                              std::stop_token stop) {
  if (state.packs) return *state.packs;
  std::vector<LoadedPack> packs;
  for (const ImageRef& ref : options_.packs) {
    const dockerfile::BaseImage image = images_.resolve(ref, options_.host, stop);
    MountedTree tree =
        tree_of({.identifier = concat("docker-image://", image.pinned.str()), .attrs = {}}, progress, stop);
    Pack pack = read_pack(RootedDir(tree.path()), ref.familiar());
    packs.push_back({.pack = std::move(pack), .tree = std::move(tree)});
  }
  return state.packs.emplace(std::move(packs));
}

AcceleratedRoot NativeTwins::find_all(State& state, Family& family, const fs::path& root,
                                      const Platform& target, const ItemProgress& progress,
                                      std::stop_token stop) {
  AcceleratedRoot found;
  if (family.sibling) {
    if (!family.copies) family.copies.emplace(store_.temp_directory(), "twins");
    // Steps that run already have what is in the others' directories.
    const fs::path copies = family.copies->path() / std::to_string(family.found.size());
    found = find_siblings({.target = root,
                           .target_platform = target,
                           .host = family.sibling->path(),
                           .host_platform = options_.host,
                           .copies = copies,
                           .source = family.sibling_name});
  } else {
    found.declined.push_back(family.no_sibling);
  }
  const RootedDir tree(root);
  const auto database = PackageDatabase::open(tree, target);
  for (const LoadedPack& pack : load_packs(state, progress, std::move(stop)))
    add_pack(found, pack.pack, pack.tree.path(), target, tree, database.get());
  if (!found.twins.empty()) add_guards(found, tree, *database, elf_target(target).value().machine);
  return found;
}

std::shared_ptr<const ReadyTwins> NativeTwins::find(const Digest& vertex, const fs::path& root,
                                                    const Platform& target, const Execution& execution,
                                                    const ItemProgress& progress,
                                                    std::vector<std::string>& why_not, std::stop_token stop) {
  const SourceOp* image = options_.base_image(vertex);
  const DatabaseState database = DatabaseState::of(RootedDir(root));
  auto state = state_.lock();
  Family& family = state->families[{image ? image->identifier : std::string(), target}];
  const auto known = std::ranges::find(family.found, database, &decltype(family.found)::value_type::first);
  if (known != family.found.end()) {
    why_not = family.why_not;
    return known->second;
  }
  load_sibling(family, image, progress, stop);
  std::shared_ptr<ReadyTwins> ready;
  try {
    AcceleratedRoot found = find_all(*state, family, root, target, progress, stop);
    family.why_not = found.declined;
    if (!found.twins.empty()) {
      const fs::path emulator = grafted_emulator(execution.emulator->program, options_.directory);
      TempDir directory(store_.temp_directory(), "twins");
      TwinMounts mounts = prepare_twin_directory(found, directory.path(), {"sh", "awk"});
      std::ranges::copy(mounts.left_out, std::back_inserter(family.why_not));
      ready = std::make_shared<ReadyTwins>(
          ReadyTwins{.root = std::move(found),
                     .directory = std::move(directory),
                     .mounts = std::move(mounts),
                     .execution = with_interpreter(execution, target, emulator)});
    }
  } catch (const HostError& e) {  // no graft for this emulator, or for this machine
    family.why_not.emplace_back(e.what());
  }
  family.found.emplace_back(database, ready);
  why_not = family.why_not;
  return ready;
}

bool add_twins(SandboxSpec& spec, const ReadyTwins& twins, const fs::path& directory) {
  const auto in_the_way = [](const auto& mount) {
    return is_below(kTwinPlace, mount.dest) || is_below(mount.dest, kTwinPlace);
  };
  if (std::ranges::any_of(spec.mounts, in_the_way) || std::ranges::any_of(spec.tmpfs, in_the_way) ||
      std::ranges::any_of(spec.secrets, in_the_way) || std::ranges::any_of(spec.agents, in_the_way))
    return false;
  const fs::path counts = directory / kCounts;
  fs::copy_file(twins.directory.path() / kCounts, counts);
  fs::permissions(counts, fs::perms(0666));
  for (const TwinMounts::Mount& mount : twins.mounts.mounts)
    spec.mounts.push_back({.source = mount.writable ? counts : mount.source,
                           .dest = mount.target,
                           .readonly = !mount.writable,
                           .nosuid = true});
  spec.execution = twins.execution;
  return true;
}

std::vector<TwinUse> used_twins(const ReadyTwins& twins, const fs::path& directory) {
  std::vector<TwinUse> used;
  const std::vector<std::uint64_t> counts = read_twin_counts(directory, twins.root);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const Twin& twin = twins.root.twins[i];
    used.push_back({.program = twin.target,
                    .package = twin.package,
                    .version = twin.version,
                    .source = twin.source,
                    .count = counts[i]});
  }
  return used;
}

}  // namespace slipway
