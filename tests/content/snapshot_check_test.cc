#include "content/snapshot_check.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <chrono>

#include "base/strings.h"
#include "content/layers.h"
#include "content/overlay_marks.h"
#include "content/store_fixture.h"
#include "content/store_repair.h"
#include "content/tree_support.h"

namespace slipway {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using std::chrono_literals::operator""s;
namespace fs = std::filesystem;

class SnapshotCheck : public StoreTest {
 protected:
  std::vector<std::string> problems() {
    std::vector<std::string> all;
    for (const StoreProblem& problem : store_->check(true)) all.push_back(problem.what);
    return all;
  }
  fs::path file_of(SnapshotId id, const std::string& name) const {
    return store_->snapshots().diff_directory(id) / name;
  }
  /// Writes other bytes, as a failing disk does: without a word in the file's times.
  void rot(const fs::path& file) {
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    write_text(file, std::string(static_cast<std::size_t>(status.st_size), '?'));
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  }
  SnapshotId unpack(const std::vector<LayerEntry>& entries) {
    const std::string tar = tar_of(entries);
    return unpack_layer(*store_, {}, layer_with(*store_, tar, tar), {});
  }

  std::unique_ptr<Store> store_ = open();
};

TEST_F(SnapshotCheck, FindsWhatWentMissingOrWasAddedOrWrittenTo) {
  const std::vector<std::pair<std::string, std::function<void(const fs::path&)>>> changes = {
      {"missing", [](const fs::path& file) { fs::remove(file); }},
      {"cut", [](const fs::path& file) { fs::resize_file(file, 1); }},
      {"written to", [](const fs::path& file) { fs::last_write_time(file, fs::last_write_time(file) + 2s); }},
      {"permissions", [](const fs::path& file) { fs::permissions(file, fs::perms::all); }},
      {"replaced", [](const fs::path& file) { fs::remove(file), fs::create_symlink("x", file); }},
      {"added", [](const fs::path& file) { write_text(file.parent_path() / "new", ""); }}};
  for (const auto& [what, change] : changes) {
    SCOPED_TRACE(what);
    const SnapshotId id = make_snapshot(*store_, {}, "abc");
    EXPECT_THAT(problems(), IsEmpty());
    change(file_of(id, "abc"));
    EXPECT_THAT(problems(), ElementsAre(HasSubstr(concat("snapshot ", id.value, " is not as it was made"))));
    EXPECT_THAT(repair_store(*store_, StoreReading::Bytes),
                Contains(HasSubstr(concat("forgot snapshot ", id.value))));
    EXPECT_FALSE(store_->snapshots().exists(id));
    EXPECT_THAT(problems(), IsEmpty());
  }
}

TEST_F(SnapshotCheck, FindsLinksThatLeadElsewhere) {
  ActiveSnapshot active = store_->snapshots().prepare({});
  fs::create_symlink("there", active.root() / "link");
  const SnapshotId id = store_->snapshots().commit(std::move(active), 1000);
  struct stat status {};
  ASSERT_EQ(::lstat(file_of(id, "link").c_str(), &status), 0);
  fs::remove(file_of(id, "link"));
  fs::create_symlink("where", file_of(id, "link"));
  const struct timespec times[2] = {status.st_atim, status.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, file_of(id, "link").c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("is not as it was made")));
}

TEST_F(SnapshotCheck, FindsBytesThatRottedInALayerThatWasPacked) {
  const SnapshotId id = make_snapshot(*store_, {}, "abc"), above = make_snapshot(*store_, id, "b");
  const Layer layer = layer_of(*store_, id, {}, {});
  rot(file_of(id, "abc"));
  EXPECT_THAT(problems(),
              ElementsAre(AllOf(HasSubstr(concat("snapshot ", id.value, " is damaged: abc has other bytes")),
                                HasSubstr(layer.descriptor.digest.str()))));
  repair_store(*store_, StoreReading::Bytes);
  EXPECT_FALSE(store_->snapshots().exists(above));
}

TEST_F(SnapshotCheck, FindsBytesThatRottedInAnUnpackedLayer) {
  const SnapshotId id = unpack({file_entry("usr/bin/tool"), file_entry("etc/conf")});
  EXPECT_THAT(problems(), IsEmpty());
  rot(file_of(id, "usr/bin/tool"));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("usr/bin/tool has other bytes than in its layer")));
}

// The part that holds the file is forgotten, or the next build would amend it again.
TEST_F(SnapshotCheck, NamesThePartOfAnAmendedLayerThatHoldsTheBytes) {
  const SnapshotId part = make_snapshot(*store_, make_snapshot(*store_, {}, "base"), "abc");
  ActiveSnapshot active = store_->snapshots().prepare_amending(part);
  write_text(active.root() / "more", "more");
  const SnapshotId whole = store_->snapshots().commit(std::move(active), 1000);
  layer_of(*store_, whole, {}, {});
  EXPECT_THAT(problems(), IsEmpty());
  rot(file_of(part, "abc"));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr(concat("snapshot ", part.value, " is damaged: abc"))));
}

TEST_F(SnapshotCheck, FindsWhatOverlayfsWouldShowOtherwise) {
  SLIPWAY_NEEDS_MOUNTS();
  ActiveSnapshot active = store_->snapshots().prepare_unmounted(make_snapshot(*store_, {}, "a"));
  fs::create_directory(active.upper() / "d");
  make_opaque(UniqueFd(open_file(active.upper() / "d", O_RDONLY)).get(), "d");
  const SnapshotId id = store_->snapshots().commit(std::move(active), 1000);
  EXPECT_THAT(problems(), IsEmpty());
  ASSERT_EQ(::removexattr(file_of(id, "d").c_str(), opaque_attribute()), 0);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("is not as it was made")));
}

TEST_F(SnapshotCheck, FindsBytesThatRottedInAFileWithAHardLink) {
  LayerEntry link = hard_link_entry("other", "file");
  link.mode = S_IFREG | 0644;  // as old writers say it
  const SnapshotId id = unpack({file_entry("file"), link});
  EXPECT_THAT(problems(), IsEmpty());
  rot(file_of(id, "file"));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("file has other bytes than in its layer")));
}

TEST_F(SnapshotCheck, TakesADirectoryThatALinkReplacedForGone) {
  unpack({directory_entry("e"), file_entry("e/x"), directory_entry("d"), file_entry("d/x"),
          link_entry("d", "e")});
  EXPECT_THAT(problems(), IsEmpty());
}

// Of a base image like Fedora's, with /etc/shadow of mode 0, in the store of an ordinary user without
// namespaces.
TEST_F(SnapshotCheck, DoesNotTakeForDamagedWhatItMayNotRead) {
  SLIPWAY_NEEDS_CHOWN();
  LayerEntry shadow = file_entry("etc/shadow"), closed = directory_entry("closed", 0111);
  shadow.mode = S_IFREG;
  const TempDir own;
  ASSERT_EQ(::chown(own.path().c_str(), 54321, 54321), 0);
  OtherProcess user([&]() -> std::unique_ptr<Store> {
    if (::setresgid(54321, 54321, 54321) != 0 || ::setresuid(54321, 54321, 54321) != 0) return nullptr;
    auto store = Store::open(own.path() / "store", logger_, TreeMode::Copies);
    const std::string tar = tar_of({directory_entry("etc"), shadow, closed});
    unpack_layer(*store, {}, layer_with(*store, tar, tar), {});
    for (const StoreProblem& problem : store->check(true)) throw IntegrityError(problem.what);
    for (const std::string& done : repair_store(*store, StoreReading::Bytes)) throw IntegrityError(done);
    return store;
  });
  EXPECT_TRUE(user.wait_ready());
}

TEST_F(SnapshotCheck, TakesWhatATarNamesTwiceAsItWasUnpacked) {
  const SnapshotId id = unpack({file_entry("./twice"), file_entry("twice"), file_entry("linked"),
                                file_entry("b"), hard_link_entry("linked", "b")});
  EXPECT_EQ(read_file(file_of(id, "twice")), "twice");
  EXPECT_EQ(read_file(file_of(id, "linked")), "b");
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(SnapshotCheck, DoesNotBlameASnapshotForItsDamagedBlob) {
  const SnapshotId id = make_snapshot(*store_, {}, "abc");
  const Layer layer = layer_of(*store_, id, {.compression = Compression::None}, {});
  const fs::path blob = store_->blobs().path_of(layer.descriptor.digest);
  fs::permissions(blob, fs::perms::owner_all);
  rot(blob);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("blob ")));
  repair_store(*store_, StoreReading::Bytes);
  EXPECT_TRUE(store_->snapshots().exists(id));
}

TEST_F(SnapshotCheck, SnapshotsOfOlderSlipwaysHaveNoOutline) {
  const SnapshotId id = make_snapshot(*store_, {}, "abc");
  store_.reset();
  run_sql("DELETE FROM outlines");
  store_ = open();
  fs::resize_file(file_of(id, "abc"), 1);
  EXPECT_THAT(problems(), IsEmpty());
}

}  // namespace
}  // namespace slipway
