// Trees without mounts (TreeMode::Copies). A merged tree is TEMP/tree-XXXXXX/root: the chain copied together,
// with a listing of what it was like. Committing lists it again, and what differs is written into the
// snapshot's own directory as overlayfs would have kept it, so packing, unpacking and merging know no
// difference. The tree then shows the new snapshot, and is kept for the next step: a base image is copied
// once, and a step costs one walk.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/rooted.h"
#include "content/copied_tree.h"
#include "content/owner_view.h"
#include "content/snapshots.h"
#include "content/space.h"
#include "content/tree_access.h"
#include "content/tree_changes.h"
#include "content/tree_clone.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

std::shared_ptr<CopiedTree> copy_of(const LowerDirectory& from, FileBytes bytes, const fs::path& temp,
                                    const std::stop_token& stop) {
  try {
    auto tree = std::make_shared<CopiedTree>(TempDir(temp, "tree"));
    if (::mkdir(tree->root().c_str(), 0700) != 0) throw SystemError(errno, "mkdir", tree->root().native());
    clone_tree(from, bytes, RootedDir(tree->root()), stop);
    return tree;
  } catch (const SystemError& e) {
    throw with_space_left(e, temp);
  }
}

}  // namespace

void SnapshotStore::copy_active(ActiveSnapshot& active, const std::stop_token& stop) {
  active.copies_ = kept_->take(*active.parent_);
  if (!active.copies_) {
    active.copies_ = copy_of(LowerDirectory::root_of(*this, active.parent_), FileBytes::Own, temp_, stop);
    const UniqueFd root = open_file(active.copies_->root(), O_RDONLY | O_DIRECTORY);
    active.copies_->listing = list_tree(root.get(), stop);
  }
  if (OwnerView().squashes()) open_up(RootedDir(active.copies_->root()), active.copies_->listing);
  wait_for_later_ctimes(active.copies_->listing);
}

void SnapshotStore::copy_active(ActiveSnapshot& active, const fs::path& directory,
                                const std::stop_token& stop) {
  active.copies_ = copy_of(LowerDirectory::of(directory), FileBytes::Own, temp_, stop);
}

void SnapshotStore::write_active_changes(ActiveSnapshot& active) {
  CopiedTree& copies = *active.copies_;
  try {
    const RootedDir tree(copies.root()), upper(active.upper_);
    ListedEntry after = list_tree(tree.open(".", O_RDONLY | O_DIRECTORY).get(), {});
    count_as_closed(copies.listing, after);
    write_changes(copies.listing, after, tree, LowerDirectory::root_of(*this, active.parent_), upper, {});
    copies.listing = std::move(after);
  } catch (const SystemError& e) {
    throw with_space_left(e, temp_);
  }
}

MountedTree SnapshotStore::copied_view(SnapshotId id, const std::stop_token& stop) {
  // One that was opened up for writing shows other modes than the snapshot has.
  std::shared_ptr<const CopiedTree> tree = OwnerView().squashes() ? nullptr : kept_->borrow(id);
  if (!tree) tree = copy_of(LowerDirectory::root_of(*this, id), FileBytes::Linked, temp_, stop);
  MountedTree view(tree->root(), false, {});
  view.kept_ = std::move(tree);
  return view;
}

}  // namespace slipway
