#include <gmock/gmock.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "content/layer_reader.h"
#include "content/layers.h"
#include "content/store_fixture.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ImportTar : public StoreTest {
 protected:
  Layer import(const std::string& bytes, const LayerOptions& options = {}) {
    const std::filesystem::path file = directory_.path() / "rootfs.tar";
    write_text(file, bytes);
    return import_tar_as_layer(*store_, open_file(file, O_RDONLY).get(), options, {});
  }
  std::vector<LayerEntry> entries_of(const Layer& layer) {
    const UniqueFd blob = store_->blobs().open(layer.descriptor.digest);
    LayerReader reader(blob.get(), LayerReader::Filters::OfLayers, "test", {});
    std::vector<LayerEntry> entries;
    while (const LayerEntry* entry = reader.next()) entries.push_back(*entry);
    return entries;
  }
  std::vector<std::string> names_of(const Layer& layer) {
    std::vector<std::string> names;
    for (const LayerEntry& entry : entries_of(layer))
      names.push_back(entry.name + (entry.same_as.empty() ? "" : "=" + entry.same_as));
    return names;
  }
  std::unique_ptr<Store> store_ = open();
};

TEST_F(ImportTar, CleansNames) {
  const Layer layer = import(tar_of({directory_entry("./"), directory_entry("./etc"), file_entry("/etc/x"),
                                     hard_link_entry("./y", "./etc/x")}));
  EXPECT_THAT(names_of(layer), ElementsAre("etc/", "etc/x", "y=etc/x"));
}

TEST_F(ImportTar, KeepsNumericOwners) {
  LayerEntry entry = file_entry("a");
  entry.uid = 1000;
  entry.gid = 3'000'000;
  const LayerEntry imported = entries_of(import(tar_of({entry}))).at(0);
  EXPECT_EQ(imported.uid, 1000U);
  EXPECT_EQ(imported.gid, 3'000'000U);
}

TEST_F(ImportTar, DropsDevicesInDevOnly) {
  const auto device = [](const std::string& name) {
    return LayerEntry{.name = name,
                      .mode = S_IFCHR | 0666,
                      .device = makedev(1, 3),
                      .link = {},
                      .same_as = {},
                      .xattrs = {}};
  };
  EXPECT_THAT(names_of(import(tar_of({directory_entry("dev"), device("./dev/null"),
                                      link_entry("dev/fd", "/proc/self/fd"), device("odd")}))),
              ElementsAre("dev/", "dev/fd", "odd"));
}

TEST_F(ImportTar, TakesWhatTarWrites) {
  ASSERT_TRUE(find_program("tar"));
  TreeMaker tree(directory_.path() / "rootfs");
  tree.file("etc/os-release", "ID=test").link("bin", "usr/bin").directory("usr/bin").file("sparse");
  std::filesystem::resize_file(tree.at("sparse"), 2'000'000);
  for (const char* flag : {"-z", "-j", "-J"}) {
    const std::string path = (directory_.path() / "made.tar").native();
    const ProcessResult made = run_process(
        {.argv = {"tar", "-S", flag, "--owner=somebody:77", "-cf", path, "-C", tree.at("").native(), "."}});
    if (!made.ok()) continue;  // this machine lacks the compressor
    const Layer layer = import(read_file(path));
    const SnapshotId id = unpack_layer(*store_, {}, layer, {});
    EXPECT_EQ(read_file(store_->snapshots().diff_directory(id) / "etc/os-release"), "ID=test");
    EXPECT_EQ(read_file(store_->snapshots().diff_directory(id) / "sparse"), read_file(tree.at("sparse")));
  }
}

TEST_F(ImportTar, SameArchiveGivesTheSameLayer) {
  const std::string tar = tar_of({directory_entry("a"), file_entry("a/b")});
  EXPECT_EQ(import(tar).descriptor, import(tar).descriptor);
}

TEST_F(ImportTar, ClampsTimes) {
  EXPECT_EQ(entries_of(import(tar_of({file_entry("a")}), {.clamp_mtime = 5})).at(0).mtime, 5);
}

TEST_F(ImportTar, RefusesWhatLeadsOut) {
  EXPECT_THROW(import(tar_of({file_entry("../a")})), InvalidInput);
  EXPECT_THROW(import(tar_of({hard_link_entry("a", "../b")})), InvalidInput);
  EXPECT_THAT(store_->blobs().list(), IsEmpty());
}

TEST_F(ImportTar, RefusesWhatIsNoTar) {
  EXPECT_THROW(import(std::string(5000, 'x')), InvalidInput);
  EXPECT_THROW(import(tar_of({file_entry("a")}).substr(0, 512)), InvalidInput);
  EXPECT_THAT(store_->blobs().list(), IsEmpty());
}

}  // namespace
}  // namespace slipway::testing_support
