#pragma once
// Saves the finished steps of a build in caches outside the store, also when the build did not come to its
// end: what was finished is saved for the next one.
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "build/cache_import.h"
#include "build/finished_step.h"
#include "build/mount_export.h"
#include "cache/cache_writer.h"
#include "content/layers.h"
#include "content/store.h"
#include "nodes/image_source.h"

namespace slipway {

/// Used by one thread. All that is given must outlive it.
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
  };
  /// Inline targets are not its.
  CacheExports(const std::vector<CacheTarget>& targets, Parts parts);
  ~CacheExports();

  bool empty() const { return exports_.empty(); }
  /// Tells of the steps to come.
  void announce();
  enum class After { Success, Failure };
  /// Saves to every target; what fails there does not keep the others from being written. After a successful
  /// build the first error of a target that does not ignore them is thrown as HostError; all others are
  /// warnings.
  void run(const std::vector<FinishedStep>& steps, After after, std::stop_token stop);

 private:
  struct Export;
  static MountExports::Wanted wanted_mounts(const Export& target);
  void save(const Export& target, const std::vector<FinishedStep>& steps, const std::stop_token& stop);
  std::vector<CachedResult> results_of(const Export& target, const std::vector<FinishedStep>& steps,
                                       const std::stop_token& stop);
  std::vector<CachedLayer> layers_of(SnapshotId snapshot, const LayerOptions& options,
                                     const std::stop_token& stop);
  LayerUpload upload_of(const Descriptor& blob, const std::string& id, const std::stop_token& stop);

  Parts parts_;
  MountExports mounts_;
  std::vector<Export> exports_;
  std::map<std::pair<SnapshotId, std::string>, CachedLayer> packed_;
};

}  // namespace slipway
