#pragma once
// Saves the finished steps of a build in caches outside the store, also when the build did not come to its
// end: what was finished is saved for the next one. Most of it goes there while the build runs, so that a
// build that is killed has saved it, and the end has little left to do.
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "base/synchronized.h"
#include "build/background_saves.h"
#include "build/cache_import.h"
#include "build/finished_step.h"
#include "build/mount_export.h"
#include "cache/cache_writer.h"
#include "content/layers.h"
#include "content/store.h"
#include "nodes/image_source.h"

namespace slipway {

/// Used by one thread, but for what says otherwise. All that is given must outlive it.
class CacheExports {
 public:
  struct Parts {
    Store& store;
    RegistryClient& registry;
    ImageSource& images;
    CacheImports& imports;
    ProgressSink& progress;
    LayerOptions layers;           ///< where a target says nothing of its own
    const Graph& graph;            ///< of the build
    std::vector<ImageRef> pushed;  ///< images that were just pushed: their layers can be mounted
    /// Between two writes of a cache's document while the build runs; nothing: as the kind of place bears.
    std::optional<std::chrono::milliseconds> pause = {};
  };
  /// Inline targets are not its.
  CacheExports(const std::vector<CacheTarget>& targets, Parts parts);
  ~CacheExports();

  bool empty() const { return exports_.empty(); }
  /// Tells of the steps to come.
  void announce();
  /// Saved beside the build, which neither waits for it nor fails by it. From any thread.
  void hand_over(FinishedStep step) noexcept;
  /// Repositories of that registry to which hand_over() brought the layer. Thread-safe.
  std::vector<std::string> repositories_with(const Digest& layer, const std::string& domain);
  enum class After { Success, Failure };
  /// Saves to every target, once what is under way beside the build has ended; what fails there does not keep the others from being written. After a successful
  /// build the first error of a target that does not ignore them is thrown as HostError; all others are
  /// warnings.
  void run(const std::vector<FinishedStep>& steps, After after, std::stop_token stop);

 private:
  struct Export {
    std::string id;  ///< of its step in the progress
    CacheTarget target;
    LayerOptions layers;
    std::unique_ptr<CachePlace> place;
    std::unique_ptr<Synchronized<std::set<Digest>>> sent;  ///< layers, beside the build
  };
  static MountExports::Wanted wanted_mounts(const Export& target);
  void save(const Export& target, const std::vector<FinishedStep>& steps, const std::stop_token& stop);
  std::vector<CachedResult> results_of(const Export& target, const std::vector<FinishedStep>& steps,
                                       const std::stop_token& stop);
  std::vector<CachedLayer> layers_of(SnapshotId snapshot, const LayerOptions& options,
                                     const std::stop_token& stop);
  LayerUpload upload_of(const Descriptor& blob, const std::string& id, const std::stop_token& stop);
  std::vector<std::string> known_repositories(const Descriptor& blob, const std::string& domain);
  // cache_export_background.cc:
  std::vector<BackgroundSaves::Target> background_targets();
  LayerUpload quiet_upload_of(const Descriptor& blob);
  void send(const Export& target, const FinishedStep& step, const std::stop_token& stop);
  void write(const Export& target, const std::vector<FinishedStep>& steps, const std::stop_token& stop);

  Parts parts_;
  MountExports mounts_;
  std::vector<Export> exports_;
  std::map<std::pair<SnapshotId, std::string>, CachedLayer> packed_;  ///< background_'s until that has ended
  std::optional<BackgroundSaves> background_;  ///< the last: it uses the rest
};

}  // namespace slipway
