#include "nodes/native_twins.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
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
  for (Twin& twin : match.twins)
    for (std::size_t& guard : twin.guards) guard += found.guards.size();
  std::ranges::move(match.guards, std::back_inserter(found.guards));
  found.trees.push_back(tree);
  if (found.machine.empty()) found.machine = pack.machine;
  std::ranges::move(match.twins, std::back_inserter(found.twins));
}

bool gives(const ReadyTwins* twins, const ImageRef& pack) {
  return twins &&
         std::ranges::find(twins->root.twins, pack.familiar(), &Twin::source) != twins->root.twins.end();
}

/// The first clause that begins so; empty: none does.
std::string first_with(const std::string& beginning, const std::vector<std::string>& clauses) {
  const auto found =
      std::ranges::find_if(clauses, [&](const std::string& clause) { return clause.starts_with(beginning); });
  return found == clauses.end() ? std::string() : *found;
}

/// All of a root that decides what its twins are, but for the programs themselves: these are held to what
/// they were when they are executed.
std::string state_of(const RootedDir& root, const std::vector<std::string>& seen_by_packs) {
  std::string text;
  for (const DatabaseState::File& file : DatabaseState::of(root).files)
    text += concat(file.path, '\n', file.identity ? file.identity->str() : "none", '\n');
  for (const std::string& seen : seen_by_packs) text += concat(seen, '\n');
  text += concat(name_services_state(root), '\n');
  return text;
}

std::string cannot_be_had(const Platform& host, const Error& why) {
  return concat("the ", host.str(), " counterpart of its base image cannot be had: ", why.what());
}

/// Of this very slipway: another one may search otherwise.
std::string own_identity() {
  struct stat status {};
  if (::stat("/proc/self/exe", &status) != 0) throw SystemError(errno, "stat", "/proc/self/exe");
  return concat(status.st_dev, ' ', FileIdentity::of(status).str());
}

}  // namespace

NativeTwins::NativeTwins(Store& store, ImageSource& images, NativeTwinsOptions options)
    : store_(store), images_(images), options_(std::move(options)), kept_(options_.directory / "found") {}
NativeTwins::~NativeTwins() = default;

MountedTree NativeTwins::tree_of(const SourceOp& image, const ItemProgress& progress, std::stop_token stop) {
  const auto snapshot = images_.unpack(image, progress, stop);
  if (!snapshot) throw InvalidInput(concat(image.identifier, " has no layers"));
  return store_.snapshots().view(*snapshot, stop);
}

void NativeTwins::find_sibling(Family& family, const SourceOp* image, std::stop_token stop) {
  if (family.sibling || !family.no_sibling.empty()) return;
  if (!image) {
    family.no_sibling = "its root does not begin as an image";
    return;
  }
  try {
    family.sibling = images_.sibling(*image, options_.host, stop);
    if (!family.sibling) {
      family.no_sibling = concat("its base image has no ", options_.host.str(), " counterpart");
      return;
    }
    const ImageRef ref = ImageRef::parse(family.sibling->identifier.substr(sizeof "docker-image://" - 1));
    family.sibling_name = concat(ref.familiar(), " (", options_.host.str(), ")");
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    family.no_sibling = cannot_be_had(options_.host, e);
  }
}

std::optional<NativeTwins::Bases> NativeTwins::bases_of(const Wanted& wanted, std::stop_token stop) {
  Family& family = wanted.family;
  if (!family.sibling) return std::nullopt;
  try {
    return Bases{.own = tree_of(*wanted.image, wanted.progress, stop),
                 .sibling = tree_of(*family.sibling, wanted.progress, stop)};
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    family.sibling.reset();
    family.no_sibling = cannot_be_had(options_.host, e);
    return std::nullopt;
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
    packs.push_back({.identity = image.pinned.str(), .pack = std::move(pack), .tree = std::move(tree)});
  }
  return state.packs.emplace(std::move(packs));
}

AcceleratedRoot NativeTwins::search(const Wanted& wanted, const fs::path& copies, std::stop_token stop) {
  AcceleratedRoot found;
  const std::optional<Bases> bases = bases_of(wanted, std::move(stop));
  if (bases)
    found = find_siblings({.target = wanted.root,
                           .base = bases->own.path(),
                           .target_platform = wanted.target,
                           .host = bases->sibling.path(),
                           .host_platform = options_.host,
                           .copies = copies,
                           .source = wanted.family.sibling_name});
  else
    found.declined.push_back(wanted.family.no_sibling);
  const RootedDir tree(wanted.root);
  const auto database = PackageDatabase::open(tree, wanted.target);
  for (const LoadedPack& pack : wanted.packs)
    add_pack(found, pack.pack, pack.tree.path(), wanted.target, tree, database.get());
  if (found.twins.empty()) return found;
  std::optional<RootedDir> base;
  std::unique_ptr<PackageDatabase> before;
  if (bases) before = PackageDatabase::open(base.emplace(bases->own.path()), wanted.target);
  if (before) database->hold_to(*before);
  add_guards(found, tree, *database, elf_target(wanted.target).value().machine);
  return found;
}

NativeTwins::FoundRoot NativeTwins::find_all(const Wanted& wanted, const Digest& key, std::stop_token stop) {
  std::vector<fs::path> packs;
  for (const LoadedPack& pack : wanted.packs) packs.push_back(pack.tree.path());
  const auto from_kept = [](KeptRoot kept) {
    return FoundRoot{.root = std::move(kept.root), .copies = std::nullopt, .hold = std::move(kept.hold)};
  };
  if (wanted.family.sibling)
    if (auto kept = kept_.find(key, packs)) return from_kept(*std::move(kept));
  TempDir work(store_.temp_directory(), "twins");
  const fs::path answer = work.path() / "found";
  fs::create_directory(answer);
  AcceleratedRoot found = search(wanted, answer / KeptTwins::kCopies, std::move(stop));
  // That there is no sibling may be otherwise a moment later.
  if (wanted.family.sibling)
    if (auto kept = kept_.keep(key, found, packs, answer)) return from_kept(*std::move(kept));
  return {.root = std::move(found), .copies = std::move(work), .hold = {}};
}

std::shared_ptr<const ReadyTwins> NativeTwins::find(const Digest& vertex, const fs::path& root,
                                                    const Platform& target, const Execution& execution,
                                                    const ItemProgress& progress,
                                                    std::vector<std::string>& why_not, std::stop_token stop) {
  auto twins = look_up(vertex, root, target, execution, progress, why_not, std::move(stop));
  auto uses = pack_uses_.lock();
  for (const ImageRef& ref : options_.packs) {
    PackUse& use = (*uses)[ref.familiar()];
    if (gives(twins.get(), ref)) use.used = true;
    if (use.why_not.empty()) use.why_not = first_with(concat("the pack ", ref.familiar()), why_not);
  }
  return twins;
}

std::vector<std::string> NativeTwins::idle_packs(const ReadyTwins* twins,
                                                 const std::vector<std::string>& why_not) const {
  std::vector<std::string> reasons;
  for (const ImageRef& ref : options_.packs) {
    std::string reason = gives(twins, ref) ? "" : first_with(pack_clause(ref.familiar()), why_not);
    if (!reason.empty()) reasons.push_back(std::move(reason));
  }
  return reasons;
}

std::vector<std::string> NativeTwins::unused_packs() {
  std::vector<std::string> sentences;
  for (const auto& [reference, use] : *pack_uses_.lock())
    if (!use.used)
      sentences.push_back(concat("--accel-pack ", reference, " gave no step a native twin: ",
                                 use.why_not.empty() ? "no root has a program that it is for" : use.why_not));
  return sentences;
}

std::shared_ptr<const ReadyTwins> NativeTwins::look_up(const Digest& vertex, const fs::path& root,
                                                       const Platform& target, const Execution& execution,
                                                       const ItemProgress& progress,
                                                       std::vector<std::string>& why_not,
                                                       std::stop_token stop) {
  const SourceOp* image = options_.base_image(vertex);
  auto state = state_.lock();
  const std::string name = image ? image->identifier : std::string();
  Family& family = state->families[{name, target}];
  const std::vector<LoadedPack>& packs = load_packs(*state, progress, stop);
  std::vector<std::string> seen;
  std::string identities;
  const RootedDir tree(root);
  for (const LoadedPack& pack : packs) {
    seen.push_back(seen_by_conditions(pack.pack, tree));
    identities += concat(pack.identity, '\n');
  }
  const std::string root_state = state_of(tree, seen);
  if (const auto known = family.found.find(root_state); known != family.found.end()) {
    why_not = known->second.why_not;
    return known->second.twins;
  }
  find_sibling(family, image, stop);
  std::shared_ptr<ReadyTwins> ready;
  try {
    store_.lease(LeaseKind::Emulators, options_.directory.filename().native());
    const std::string sibling = family.sibling ? family.sibling->identifier : std::string();
    FoundRoot found = find_all({.packs = packs,
                                .family = family,
                                .image = image,
                                .root = root,
                                .target = target,
                                .progress = progress},
                               Digest::of(concat(own_identity(), '\n', name, '\n', target.str(), '\n',
                                                 sibling, '\n', identities, root_state)),
                               stop);
    why_not = found.root.declined;
    if (!found.root.twins.empty()) {
      const fs::path emulator = grafted(*execution.emulator);
      TempDir directory(store_.temp_directory(), "twins");
      TwinMounts mounts = prepare_twin_directory(found.root, directory.path(), {"sh", "awk"});
      std::ranges::copy(mounts.left_out, std::back_inserter(why_not));
      ready = std::make_shared<ReadyTwins>(
          ReadyTwins{.root = std::move(found.root),
                     .copies = std::move(found.copies),
                     .hold = std::move(found.hold),
                     .directory = std::move(directory),
                     .mounts = std::move(mounts),
                     .execution = execution});
      ready->execution.stand_in = emulator;
    }
  } catch (const HostError& e) {  // no graft for this emulator, or for this machine
    why_not.emplace_back(e.what());
  }
  family.found.emplace(root_state, Family::Found{.twins = ready, .why_not = why_not});
  return ready;
}

fs::path NativeTwins::grafted(const Emulator& emulator) const {
  return grafted_emulator(emulator.program, options_.directory,
                          {.cheap_pointer_codes = has_cheap_pointer_codes(emulator)});
}

Execution NativeTwins::told(Execution execution) {
  if (execution.kind != Execution::Kind::PrivateBinfmt || !has_cheap_pointer_codes(*execution.emulator))
    return execution;
  try {
    store_.lease(LeaseKind::Emulators, options_.directory.filename().native());
    execution.stand_in = grafted(*execution.emulator);
  } catch (const HostError& e) {
    store_.logger().log(LogLevel::Debug, e.what());
  }
  return execution;
}

bool hides_twins(const std::string& mounted_at) {
  return is_below(kTwinPlace, mounted_at) || is_below(mounted_at, kTwinPlace);
}

void add_twins(SandboxSpec& spec, const ReadyTwins& twins, const fs::path& directory) {
  const fs::path counts = directory / kCounts;
  fs::copy_file(twins.directory.path() / kCounts, counts);
  fs::permissions(counts, fs::perms(0666));
  for (const TwinMounts::Mount& mount : twins.mounts.mounts)
    spec.mounts.push_back({.source = mount.writable ? counts : mount.source,
                           .dest = mount.target,
                           .readonly = !mount.writable,
                           .nosuid = true});
  spec.execution = twins.execution;
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
