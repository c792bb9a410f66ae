#include "content/copy_amend.h"

#include <gmock/gmock.h>

#include <random>

#include "base/error.h"
#include "base/strings.h"
#include "content/database.h"
#include "content/layers.h"
#include "content/selection_list.h"
#include "content/snapshot_files.h"
#include "content/snapshot_merge.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

namespace fs = std::filesystem;

/// A context that changes, copied once plainly; the later copies are made both ways.
class CopyAmend : public StoreTest {
 protected:
  void SetUp() override {
    SLIPWAY_NEEDS_MOUNTS();
    fs::create_directory(context());
  }
  fs::path context() const { return directory_.path() / "context"; }

  Selection selection(const RootedDir& tree) const {
    return {.tree = &tree, .src = "/", .excluded = excluded_ ? &*excluded_ : nullptr};
  }
  std::shared_ptr<const SelectionList> list() const {
    const RootedDir tree(context());
    return list_selection(selection(tree), /*of_context=*/true, nullptr, {});
  }
  CopyOptions options() const { return {.dest = dest_, .source_is_roots = true, .mode = mode_}; }

  /// Sets earlier_ too, unless the next copies cannot look at this one.
  SnapshotId copy() {
    ActiveSnapshot active = store_->snapshots().prepare(base_);
    const auto before = list();
    std::optional<CopiedDirectory> how;
    {
      const RootedDir tree(context()), target(active.root());
      how = copy_selection(selection(tree), target, options(), {});
    }
    const SnapshotId made = store_->snapshots().commit(std::move(active), 1000);
    if (auto copied = CopiedList::of(*before, how.value()))
      earlier_ = EarlierCopy{.snapshot = made, .list = CopiedList::parse(copied->bytes()).value()};
    return made;
  }
  std::optional<SnapshotId> amend() {
    const RootedDir tree(context());
    return amend_copy(
        store_->snapshots(), earlier_.value(), tree, *list(), [this](const RootedDir&) { return options(); }, 1000,
        {});
  }

  std::vector<std::string> tree(SnapshotId id) { return describe_tree(store_->snapshots().view(id).path()); }
  Digest layer(SnapshotId id) { return layer_of(*store_, id, {.clamp_mtime = {}}, {}).diff_id; }
  std::vector<std::string> own(SnapshotId id) { return names_in(store_->snapshots().diff_directory(id)); }

  const std::unique_ptr<Store> store_ = open();
  std::optional<SnapshotId> base_;
  std::string dest_ = "/app";
  std::optional<unsigned> mode_;
  std::optional<PatternMatcher> excluded_;
  std::optional<EarlierCopy> earlier_;
};

TEST_F(CopyAmend, MakesOnlyWhatIsDifferent) {
  base_ = make_snapshot(*store_, {}, "base");
  TreeMaker files(context());
  for (int i = 0; i < 100; ++i) files.file(concat("many/", i));
  files.file("a", "1").file("d/b", "2").file("d/c", "3").file("e/f", "4").link("l", "a").file("gone/x").file("same");
  files.all_mtimes(1500);
  const SnapshotId first = copy();

  fs::remove_all(files.at("gone"));
  files.file("d/b", "other").mtime("d/b", 1600).file("d/new").mtime("d", 1600).mtime("", 1600);
  const SnapshotId amended = amend().value();
  EXPECT_THAT(own(amended), testing::ElementsAre("app/", "app/d/", "app/d/b", "app/d/new", "app/gone"));
  EXPECT_THAT(store_->snapshots().chain(amended), testing::ElementsAre(*base_, first, amended));
  EXPECT_THAT(store_->snapshots().layers(amended), testing::ElementsAre(*base_, amended));

  const SnapshotId plain = copy();
  EXPECT_EQ(tree(amended), tree(plain));
  EXPECT_EQ(layer(amended), layer(plain));
}

TEST_F(CopyAmend, BringsNothingBackThatTheFirstCopyHid) {
  base_ = snapshot_with(*store_, {}, [](TreeMaker& tree) { tree.file("app/a", "of the base"); });
  TreeMaker files(context());
  files.file("a", "of the context").file("b").file("c");
  copy();
  fs::remove(files.at("a"));
  EXPECT_EQ(amend(), std::nullopt);
}

TEST_F(CopyAmend, LeavesToAPlainCopyWhatIsMostlyDifferent) {
  TreeMaker files(context());
  for (int i = 0; i < 100; ++i) files.file(std::to_string(i));
  files.file("large", std::string(1 << 20, 'x')).all_mtimes(1500);
  copy();
  for (int i = 0; i < 10; ++i) files.file(std::to_string(i), "other");
  EXPECT_NE(amend(), std::nullopt);
  files.file("large", std::string(1 << 20, 'y'));
  EXPECT_EQ(amend(), std::nullopt) << "bytes count, and not only files";
}

TEST_F(CopyAmend, WhatCannotBeMountedIsLeftToAPlainCopy) {
  for (int i = 0; i < 500; ++i)
    base_ = store_->database().add_snapshot({.parent = base_, .boot = boot_id()}, [&](SnapshotId id) {
      fs::create_directories(store_->snapshots().diff_directory(id));
    });
  TreeMaker(context()).file("a");
  copy();
  EXPECT_EQ(amend(), std::nullopt);
}

TEST_F(CopyAmend, AnOwnerThatOnlyTheBaseKnowsIsLeftToAPlainCopy) {
  TreeMaker(context()).file("a");
  copy();
  const RootedDir tree(context());
  const auto unknown = [](const RootedDir&) -> CopyOptions { throw InvalidInput("no such user"); };
  EXPECT_EQ(amend_copy(store_->snapshots(), *earlier_, tree, *list(), unknown, 1000, {}), std::nullopt);
}

TEST_F(CopyAmend, DeletesNothingOfWhatALinkIsLaidOver) {
  TreeMaker files(context());
  for (int i = 0; i < 100; ++i) files.file(concat("many/", i));
  files.file("gone", "1").file("was_file", "2").file("was_directory/x").all_mtimes(1500);
  copy();
  fs::remove(files.at("gone"));
  fs::remove(files.at("was_file"));
  fs::remove_all(files.at("was_directory"));
  files.file("was_file/new").file("was_directory").all_mtimes(1500);
  const SnapshotId amended = amend().value();
  const SnapshotId plain = copy();
  const SnapshotId other = snapshot_with(*store_, {}, [](TreeMaker& tree) {
    tree.file("app/gone", "of the base").file("app/was_file/kept").file("app/many/kept");
  });
  const SnapshotId one = merge_snapshot(*store_, other, amended, 1000, {}, {});
  const SnapshotId two = merge_snapshot(*store_, other, plain, 1000, {}, {});
  EXPECT_EQ(tree(one), tree(two));
  EXPECT_THAT(names_in(store_->snapshots().view(one).path()), testing::IsSupersetOf({"app/gone", "app/was_file/kept"}));
  EXPECT_EQ(layer(one), layer(plain));
}

/// Files that are as old as they look.
std::shared_ptr<SelectionList> settled(const SelectionList& list) {
  auto aged = std::make_shared<SelectionList>(list);
  for (SelectedFile& file : aged->files) file.entry.status.st_mtim = file.entry.status.st_ctim = {.tv_sec = 9, .tv_nsec = 0};
  return aged;
}

TEST_F(CopyAmend, ForgetsWhatMayHaveBeenAnotherWhileItWasCopied) {
  TreeMaker(context()).file("a").file("d/b").link("l", "a");
  const auto before = settled(*list());
  const CopiedList whole = CopiedList::of(*before, {.place = "app", .options = options()}).value();
  const auto known = [&](const std::function<void(SelectionList&)>& change) {
    CopiedList copied = whole;
    auto after = std::make_shared<SelectionList>(*before);
    change(*after);
    std::string names;
    if (!copied.forget_changed(*before, *after)) return std::string("nothing");
    for (const CopiedList::Item& item : copied.items)
      if (item.is_same_as(item)) names += concat(item.path, " ");
    return names;
  };
  const auto touch = [](std::size_t index) {
    return [index](SelectionList& after) { after.files.at(index).entry.status.st_ctim.tv_sec = 10; };
  };
  EXPECT_EQ(known([](SelectionList&) {}), " a d d/b l ");
  EXPECT_EQ(known(touch(1)), " d d/b l ");
  EXPECT_EQ(known(touch(4)), " a d d/b ");
  EXPECT_EQ(known(touch(2)), "nothing") << "something came and went in a directory";
  EXPECT_EQ(known([](SelectionList& after) { after.files.pop_back(); }), "nothing");
}

TEST_F(CopyAmend, NoticesAFileThatChangedSinceItWasListed) {
  TreeMaker files(context());
  files.file("a").file("b").file("c").file("d");
  copy();
  files.file("a", "1");
  const auto listed = list();
  files.file("a", "2");
  const RootedDir tree(context());
  EXPECT_EQ(amend_copy(
                store_->snapshots(), *earlier_, tree, *listed, [this](const RootedDir&) { return options(); }, 1000, {}),
            std::nullopt);
}

TEST_F(CopyAmend, KeepsNoListOfHardLinks) {
  TreeMaker(context()).file("a").hard_link("b", "a");
  EXPECT_FALSE(CopiedList::of(*list(), {.place = "app", .options = options()}));
}

TEST_F(CopyAmend, AListThatIsNoneCountsAsNone) {
  TreeMaker(context()).file("a").file("d/b");
  const std::string bytes = CopiedList::of(*list(), {.place = "app", .options = options()})->bytes();
  EXPECT_EQ(CopiedList::parse(bytes)->items.size(), 4U);
  for (std::size_t end = 0; end < bytes.size(); ++end)
    EXPECT_FALSE(CopiedList::parse(std::string_view(bytes).substr(0, end))) << end;
}

/// Random changes of a tree of few names, so that they meet.
class Changes {
 public:
  Changes(fs::path root, unsigned seed) : root_(std::move(root)), random_(seed) {}

  void make(unsigned count) {
    for (unsigned i = 0; i < count; ++i) change(path());
  }
  unsigned below(unsigned count) { return static_cast<unsigned>(random_() % count); }

 private:
  std::string path() {
    static constexpr const char* kNames[] = {"a", "b", "a.b", "a-b", "c"};
    std::string path = kNames[below(5)];
    for (unsigned depth = below(3); depth > 0; --depth) path += concat("/", kNames[below(5)]);
    return path;
  }
  void change(const std::string& path) {
    TreeMaker tree(root_);
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
      if (const fs::path at = tree.at(path.substr(0, slash)); !fs::is_directory(fs::symlink_status(at)))
        fs::remove(at);
    const std::string text = std::to_string(below(100));
    const unsigned kind = below(8);
    if (kind < 2 || (kind < 5 && fs::is_directory(fs::symlink_status(tree.at(path))))) fs::remove_all(tree.at(path));
    if (kind == 0) return;
    if (kind == 1) {
      tree.link(path, text);
    } else if (kind < 5) {
      if (fs::is_symlink(tree.at(path))) fs::remove(tree.at(path));
      tree.file(path, text, below(2) == 0 ? 0644 : 0755).mtime(path, below(1000));
    } else if (kind == 5) {
      if (!fs::is_directory(fs::symlink_status(tree.at(path)))) fs::remove(tree.at(path));
      tree.directory(path, below(2) == 0 ? 0755 : 0711);
    } else if (fs::exists(fs::symlink_status(tree.at(path)))) {
      tree.mtime(path, below(1000));
    }
  }

  const fs::path root_;
  std::mt19937 random_;
};

/// The times of what was changed on the way to other changes are those of this moment.
void settle(const fs::path& root, std::int64_t seconds) {
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_directory() && !entry.is_symlink()) TreeMaker(root).mtime(entry.path().lexically_relative(root), seconds);
  TreeMaker(root).mtime("", seconds);
}

TEST_F(CopyAmend, HasTheTreeAndTheLayerOfAPlainCopy) {
  unsigned amended_copies = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    fs::remove_all(context());
    fs::create_directory(context());
    Changes changes(context(), seed);
    dest_ = std::vector<std::string>{"/app", "/app/", "/", "/y"}[changes.below(4)];
    mode_ = changes.below(4) == 0 ? std::optional(0750U) : std::nullopt;
    // What is only on the way to something keeps the time of this moment, where the base has it.
    excluded_.reset();
    base_ = snapshot_with(*store_, {}, [&](TreeMaker& tree) {
      tree.file("base");
      if (changes.below(3) == 0) {
        excluded_ = PatternMatcher({"c", "!c/a"});
        return;
      }
      tree.directory("app");
      if (changes.below(2) == 0) Changes(tree.at(changes.below(2) == 0 ? "app" : ""), seed + 1).make(4);
      settle(tree.at(""), 50);
    });
    for (int i = 0; i < 60; ++i) TreeMaker(context()).file(concat("many/", i)).mtime(concat("many/", i), 5);
    changes.make(30);
    settle(context(), 100);
    try {
      copy();
      changes.make(1 + changes.below(4));
      settle(context(), 100 + changes.below(2));
      const auto amended = amend();
      const SnapshotId plain = copy();
      if (!amended) continue;
      ++amended_copies;
      EXPECT_EQ(tree(*amended), tree(plain));
      EXPECT_EQ(layer(*amended), layer(plain));
    } catch (const InvalidInput&) {
      // a file in the way of a directory, or the other way round
    }
  }
  EXPECT_GT(amended_copies, 60U);
}

/// Whatever a step changed, not only copies.
TEST_F(CopyAmend, TheLayerIsThatOfBothSnapshotsMerged) {
  const LayerOptions all_times_alike{.clamp_mtime = 0};
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const SnapshotId base = make_snapshot(*store_, {}, "base");
    const auto make = [&](const SnapshotId parent, bool amends, std::initializer_list<unsigned> seeds) {
      ActiveSnapshot active =
          amends ? store_->snapshots().prepare_amending(parent) : store_->snapshots().prepare(parent);
      for (const unsigned one : seeds) Changes(active.root(), one).make(12);
      return store_->snapshots().commit(std::move(active), 1000);
    };
    const SnapshotId amended = make(make(base, false, {seed + 100}), true, {seed + 200});
    const SnapshotId whole = make(base, false, {seed + 100, seed + 200});
    const auto names = [&](SnapshotId id) { return names_in(store_->snapshots().view(id).path()); };
    ASSERT_EQ(names(amended), names(whole));
    EXPECT_EQ(layer_of(*store_, amended, all_times_alike, {}).diff_id,
              layer_of(*store_, whole, all_times_alike, {}).diff_id);

    const SnapshotId other =
        snapshot_with(*store_, {}, [&](TreeMaker& tree) { Changes(tree.at(""), seed).make(15); });
    const SnapshotId one = merge_snapshot(*store_, other, amended, 1000, {}, {});
    EXPECT_EQ(store_->snapshots().layers(one).size(), 3U);
    EXPECT_EQ(names(one), names(merge_snapshot(*store_, other, whole, 1000, {}, {})));
  }
}

}  // namespace
}  // namespace slipway::testing_support
