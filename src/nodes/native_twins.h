#pragma once
// The native twins of a build's emulated steps: base images' siblings and toolchain packs, fetched when a
// step first needs them, and the emulator that starts them. accel/ says what a twin is.
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "accel/packages.h"
#include "accel/packs.h"
#include "accel/twin.h"
#include "accel/twin_table.h"
#include "base/files.h"
#include "base/synchronized.h"
#include "content/store.h"
#include "graph/ops.h"
#include "manifest/image_ref.h"
#include "nodes/image_source.h"
#include "nodes/kept_twins.h"
#include "nodes/vertex_result.h"
#include "qemu/emulator.h"
#include "runtime/sandbox.h"

namespace slipway {

/// The twins of roots that have one package database, ready to be mounted into steps.
struct ReadyTwins {
  AcceleratedRoot root;
  std::optional<TempDir> copies;  ///< of a sibling's programs, if they are not kept
  UniqueFd hold;                  ///< keeps them there if they are
  TempDir directory;              ///< what steps see as /dev/.slipway
  TwinMounts mounts;
  Execution execution;  ///< with the emulator that looks for twins first
};

struct NativeTwinsOptions {
  Platform host = Platform::host();
  std::vector<ImageRef> packs;      ///< --accel-pack
  std::filesystem::path directory;  ///< kept: emulators made ready for twins, and what was found
  /// The image that a vertex's root began as; null: none.
  std::function<const SourceOp*(const Digest& vertex)> base_image;
};

/// Thread-safe.
class NativeTwins {
 public:
  NativeTwins(Store& store, ImageSource& images, NativeTwinsOptions options);
  ~NativeTwins();

  /// The twins for a step on `root`, its merged tree, whose programs `execution` (PrivateBinfmt) runs; null
  /// if there are none: why not goes to `why_not`, a clause each. Throws for a pack that cannot be had or is
  /// none; a sibling that cannot be had is a reason.
  std::shared_ptr<const ReadyTwins> find(const Digest& vertex, const std::filesystem::path& root,
                                         const Platform& target, const Execution& execution,
                                         const ItemProgress& progress, std::vector<std::string>& why_not,
                                         std::stop_token stop);
  /// Where there are no twins: the emulator of `execution`, told what GraftOptions has for it, or as it is if
  /// there is nothing, or no way, to tell it.
  Execution told(Execution execution);
  /// Of what find() gave: why packs that were asked for have no twin in it, a clause each, though the root
  /// has programs that they are for.
  std::vector<std::string> idle_packs(const ReadyTwins* twins, const std::vector<std::string>& why_not) const;
  /// The packs that had no twin in anything that find() gave yet, and the first reason, a sentence each.
  std::vector<std::string> unused_packs();

 private:
  std::shared_ptr<const ReadyTwins> look_up(const Digest& vertex, const std::filesystem::path& root,
                                            const Platform& target, const Execution& execution,
                                            const ItemProgress& progress, std::vector<std::string>& why_not,
                                            std::stop_token stop);
  struct LoadedPack {
    std::string identity;  ///< its pinned reference
    Pack pack;
    MountedTree tree;
  };
  /// All roots that began as one image.
  struct Family {
    std::optional<SourceOp> sibling;  ///< fetched only to be searched: what is found in it is copied
    std::string sibling_name;
    std::string no_sibling;  ///< why
    struct Found {
      std::shared_ptr<const ReadyTwins> twins;  ///< null: nothing
      std::vector<std::string> why_not;
    };
    std::map<std::string, Found> found;  ///< by what was seen of the root (state_of)
  };
  struct FoundRoot {
    AcceleratedRoot root;
    std::optional<TempDir> copies;
    UniqueFd hold;
  };
  struct State {
    std::map<std::pair<std::string, Platform>, Family> families;
    std::optional<std::vector<LoadedPack>> packs;
  };
  struct PackUse {
    bool used = false;
    std::string why_not;  ///< the first reason; empty: no root had a program of it
  };

  /// What is searched for in one root.
  struct Wanted {
    const std::vector<LoadedPack>& packs;
    Family& family;
    const SourceOp* image;  ///< that the root began as; null: none
    const std::filesystem::path& root;
    const Platform& target;
    const ItemProgress& progress;
  };
  /// The image that a root began as: for the root's platform, and for this machine.
  struct Bases {
    MountedTree own, sibling;
  };

  std::filesystem::path grafted(const Emulator& emulator) const;
  MountedTree tree_of(const SourceOp& image, const ItemProgress& progress, std::stop_token stop);
  void find_sibling(Family& family, const SourceOp* image, std::stop_token stop);
  std::optional<Bases> bases_of(const Wanted& wanted, std::stop_token stop);
  std::vector<LoadedPack>& load_packs(State& state, const ItemProgress& progress, std::stop_token stop);
  FoundRoot find_all(const Wanted& wanted, const Digest& key, std::stop_token stop);
  AcceleratedRoot search(const Wanted& wanted, const std::filesystem::path& copies, std::stop_token stop);

  Store& store_;
  ImageSource& images_;
  const NativeTwinsOptions options_;
  const KeptTwins kept_;
  Synchronized<State> state_;
  Synchronized<std::map<std::string, PackUse>> pack_uses_;  ///< of those that were looked at for a root
};

/// Whether a mount of the step's own at that path is in the way of twins.
bool hides_twins(const std::string& mounted_at);
/// Mounts for one step, which hides none of them: of `twins`, with counts of its own in `directory`, which
/// must be empty.
void add_twins(SandboxSpec& spec, const ReadyTwins& twins, const std::filesystem::path& directory);
/// After the step: which of them ran.
std::vector<TwinUse> used_twins(const ReadyTwins& twins, const std::filesystem::path& directory);

}  // namespace slipway
