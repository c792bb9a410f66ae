// Layers come from strangers: nothing they say may reach outside of the snapshot, and a bad one leaves
// nothing.
#include <gmock/gmock.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/layers.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HostileLayer : public StoreTest {
 protected:
  SnapshotId unpack(const std::vector<LayerEntry>& entries, const std::optional<SnapshotId>& parent = {}) {
    const std::string tar = tar_of(entries);
    return unpack_layer(*store_, parent, layer_with(*store_, tar, tar), {});
  }
  std::string refusal(const std::vector<LayerEntry>& entries) {
    try {
      unpack(entries);
    } catch (const InvalidInput& e) {
      return e.what();
    }
    return "taken";
  }
  std::vector<std::string> names(SnapshotId id) { return names_in(store_->snapshots().diff_directory(id)); }
  /// Nothing of a failed unpacking is left: no snapshot, and nothing half-made in the store.
  void expect_nothing_left() {
    EXPECT_THAT(store_->snapshots().list(), IsEmpty());
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root()))
      EXPECT_NE(entry.path().filename(), "escaped") << entry.path();
  }

  std::unique_ptr<Store> store_ = open();
};

struct RefusedCase {
  const char* name;
  std::vector<LayerEntry> entries;
  const char* message;
};
class RefusedLayer : public HostileLayer, public testing::WithParamInterface<RefusedCase> {};
TEST_P(RefusedLayer, SaysWhichEntryAndLeavesNothing) {
  const std::string why = refusal(GetParam().entries);
  EXPECT_THAT(why, HasSubstr(GetParam().message));
  EXPECT_THAT(why, HasSubstr("layer sha256:"));
  expect_nothing_left();
}

LayerEntry device_entry(const std::string& name, dev_t device) {
  return {.name = name, .mode = S_IFCHR | 0666, .device = device, .link = {}, .same_as = {}, .xattrs = {}};
}

INSTANTIATE_TEST_SUITE_P(
    Each, RefusedLayer,
    testing::Values(
        RefusedCase{"parent", {file_entry("../escaped")}, "entry \"../escaped\""},
        RefusedCase{"parent_in_the_middle", {file_entry("a/../../escaped")}, "entry \"a/../../escaped\""},
        RefusedCase{"absolute_parent", {file_entry("/../escaped")}, "leads out"},
        RefusedCase{
            "hard_link_out", {hard_link_entry("x", "../../etc/passwd")}, "entry \"../../etc/passwd\""},
        RefusedCase{"hard_link_to_the_hosts_file",
                    {hard_link_entry("x", "/etc/passwd")},
                    "\"etc/passwd\", which does not exist"},
        RefusedCase{"hard_link_through_a_link",
                    {link_entry("e", "/etc"), hard_link_entry("x", "e/passwd")},
                    "does not exist"},
        RefusedCase{
            "hard_link_to_a_directory", {directory_entry("d"), hard_link_entry("x", "d")}, "directory \"d\""},
        RefusedCase{"hard_link_to_itself", {file_entry("x"), hard_link_entry("x", "./x")}, "itself"},
        RefusedCase{"hard_link_to_the_root", {hard_link_entry("x", "./")}, "root"},
        RefusedCase{
            "file_as_directory", {file_entry("f"), file_entry("f/escaped")}, "\"f\" is not a directory"},
        RefusedCase{"loop",
                    {link_entry("a", "b"), link_entry("b", "a"), file_entry("a/x")},
                    "too many symbolic links"},
        RefusedCase{"whiteout_of_nothing", {file_entry(".wh.")}, "deletes no name"},
        RefusedCase{"whiteout_of_the_parent", {file_entry("d/.wh...")}, "deletes no name"},
        RefusedCase{"device_that_is_a_deletion", {device_entry("x", makedev(0, 0))}, "0/0"},
        RefusedCase{"name_too_long", {file_entry(std::string(300, 'n'))}, "too long"},
        RefusedCase{"root_that_is_a_file", {link_entry(".", "x")}, "root must be a directory"}),
    [](const auto& row) { return row.param.name; });

TEST_F(HostileLayer, FileThroughALinkedDirectoryStaysInside) {
  const std::filesystem::path outside = directory_.path() / "outside";
  std::filesystem::create_directory(outside);
  const SnapshotId id = unpack({link_entry("abs", outside.native()), file_entry("abs/f"),
                                link_entry("up", "../../../../../../tmp"), file_entry("up/g"),
                                link_entry("d/rel", "../e"), file_entry("d/rel/h")});
  EXPECT_THAT(names_in(outside), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists("/tmp/g"));
  EXPECT_THAT(names(id), testing::IsSupersetOf(
                             std::vector<std::string>{"tmp/g", "e/h", outside.native().substr(1) + "/f"}));
}

TEST_F(HostileLayer, LinkIsReplacedNotWrittenThrough) {
  const std::filesystem::path victim = directory_.path() / "victim";
  write_text(victim, "precious");
  const SnapshotId id = unpack({link_entry("x", victim.native()), file_entry("x"),
                                link_entry("y", victim.native()), directory_entry("y")});
  EXPECT_EQ(read_file(victim), "precious");
  EXPECT_THAT(names(id), ElementsAre("x", "y/"));
}

TEST_F(HostileLayer, LinkToALinkedFileLinksTheLinkItself) {
  const std::filesystem::path victim = directory_.path() / "victim";
  write_text(victim, "precious");
  const SnapshotId id = unpack({link_entry("x", victim.native()), hard_link_entry("y", "x")});
  EXPECT_TRUE(std::filesystem::is_symlink(store_->snapshots().diff_directory(id) / "y"));
}

TEST_F(HostileLayer, ReplacingALinkedDirectoryRemovesOnlyTheLink) {
  const std::filesystem::path outside = directory_.path() / "outside";
  std::filesystem::create_directory(outside);
  write_text(outside / "kept", "");
  unpack({link_entry("d", outside.native()), file_entry("d")});
  EXPECT_TRUE(std::filesystem::exists(outside / "kept"));
}

TEST_F(HostileLayer, OverlayAttributesAreDropped) {
  LayerEntry entry = directory_entry("d");
  entry.xattrs = {{"trusted.overlay.redirect", "/etc"},
                  {"trusted.overlay.opaque", "y"},
                  {"user.overlay.redirect", "/etc"}};
  const SnapshotId id = unpack({entry});
  const std::string path = (store_->snapshots().diff_directory(id) / "d").native();
  char value[16];
  EXPECT_EQ(::lgetxattr(path.c_str(), "trusted.overlay.redirect", value, sizeof value), -1);
  EXPECT_EQ(::lgetxattr(path.c_str(), "user.overlay.redirect", value, sizeof value), -1);
}

TEST_F(HostileLayer, WrongDiffIdLeavesNothing) {
  const std::string tar = tar_of({file_entry("a")});
  const Layer layer = layer_with(*store_, tar, "something else");
  EXPECT_THROW(unpack_layer(*store_, {}, layer, {}), IntegrityError);
  expect_nothing_left();
  EXPECT_EQ(find_unpacked(*store_, layer.diff_id), std::nullopt);
}

TEST_F(HostileLayer, BytesAfterTheEndCount) {
  const std::string tar = tar_of({file_entry("a")}), longer = tar + std::string(20480, '\0') + "hidden";
  EXPECT_THROW(unpack_layer(*store_, {}, layer_with(*store_, longer, tar), {}), IntegrityError);
  EXPECT_NO_THROW(unpack_layer(*store_, {}, layer_with(*store_, longer, longer), {}));
}

/// A packed layer's bytes, whatever its compression.
class DamagedLayer : public HostileLayer, public testing::WithParamInterface<Compression> {
 protected:
  std::string packed(const std::function<void(TreeMaker&)>& make, Digest& diff_id) {
    const std::unique_ptr<Store> other = Store::open(directory_.path() / "other", logger_);
    const Layer layer = layer_of(*other, snapshot_with(*other, {}, make), {.compression = GetParam()}, {});
    diff_id = layer.diff_id;
    return other->blobs().read(layer.descriptor.digest);
  }
};
TEST_P(DamagedLayer, CutOffIsRefused) {
  Digest diff_id = Digest::of("");
  const std::string whole = packed(
      [](TreeMaker& tree) {
        for (int i = 0; i < 30; ++i)
          tree.file(concat("f", i), std::string(99'999, static_cast<char>('a' + i)));
      },
      diff_id);
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, whole.size() / 2, whole.size() - 9}) {
    Layer layer = layer_with(*store_, whole.substr(0, size), "");
    layer.diff_id = diff_id;
    EXPECT_THROW(unpack_layer(*store_, {}, layer, {}), Error) << size;
  }
  expect_nothing_left();
}
TEST_P(DamagedLayer, ChangedByteIsRefused) {
  Digest diff_id = Digest::of("");
  std::string bytes = packed([](TreeMaker& tree) { tree.file("f", std::string(5000, 'x')); }, diff_id);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
  Layer layer = layer_with(*store_, bytes, "");
  layer.diff_id = diff_id;
  EXPECT_THROW(unpack_layer(*store_, {}, layer, {}), Error);
  expect_nothing_left();
}
INSTANTIATE_TEST_SUITE_P(Each, DamagedLayer,
                         testing::Values(Compression::None, Compression::Gzip, Compression::Zstd),
                         [](const auto& row) { return LayerOptions{.compression = row.param}.key(); });

TEST_F(HostileLayer, GarbageIsNoLayer) {
  EXPECT_THROW(unpack_layer(*store_, {}, layer_with(*store_, "no tar at all", "no tar at all"), {}),
               InvalidInput);
  const std::string text(100'000, 'x');
  EXPECT_THROW(unpack_layer(*store_, {}, layer_with(*store_, text, text), {}), InvalidInput);
  expect_nothing_left();
}

TEST_F(HostileLayer, MissingBlobIsNotFound) {
  Layer layer = layer_with(*store_, "x", "x");
  store_->blobs().remove(layer.descriptor.digest);
  EXPECT_THROW(unpack_layer(*store_, {}, layer, {}), NotFound);
}

TEST_F(HostileLayer, StopLeavesNothing) {
  const std::string tar = tar_of({file_entry("a")});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(unpack_layer(*store_, {}, layer_with(*store_, tar, tar), stop.get_token()), Cancelled);
  expect_nothing_left();
}

}  // namespace
}  // namespace slipway::testing_support
