#include "build/layout_export.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "build/image_fixture.h"
#include "manifest/media_types.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using testing_support::files_below;
using testing_support::simple_image;

/// The regular files of a tar whose names fit its headers (POSIX ustar: name at 0, size at 124, type at 156).
std::map<std::string, std::string> files_of_tar(const std::string& tar) {
  std::map<std::string, std::string> files;
  for (std::size_t at = 0; at + 512 <= tar.size() && tar[at] != '\0';) {
    const std::string name = tar.substr(at, 100).c_str();
    const std::size_t size = std::stoul(tar.substr(at + 124, 11), nullptr, 8);
    if (tar[at + 156] == '0') files.emplace(name, tar.substr(at + 512, size));
    at += 512 + (size + 511) / 512 * 512;
  }
  return files;
}

class LayoutExport : public testing_support::StoreTest {
 protected:
  Descriptor two_platforms(const std::string& content = "app") {
    return assemble_index(
        *store_,
        {simple_image(*store_, "linux/amd64", content), simple_image(*store_, "linux/arm64", content)},
        false);
  }
  static std::vector<ImageRef> names(const std::vector<const char*>& texts) {
    std::vector<ImageRef> refs;
    for (const char* text : texts) refs.push_back(ImageRef::parse(text));
    return refs;
  }
  Index index_of(const fs::path& directory) { return parse_index(read_file(directory / "index.json")).value; }
  /// "docker.io/library/a:1" by the digest that it names.
  std::multimap<std::string, Digest> named_in(const fs::path& directory) {
    std::multimap<std::string, Digest> named;
    for (const Descriptor& entry : index_of(directory).manifests) {
      const auto name = entry.annotations.find("io.containerd.image.name");
      named.emplace(name == entry.annotations.end() ? "" : name->second, entry.digest);
    }
    return named;
  }

  std::unique_ptr<Store> store_ = open();
  fs::path out_ = directory_.path() / "out";
};

TEST_F(LayoutExport, BlobsOfAnImageAreAllThatItNeedsOnce) {
  const AssembledImage amd = simple_image(*store_, "linux/amd64"), arm = simple_image(*store_, "linux/arm64");
  const Descriptor index = assemble_index(*store_, {amd, arm, amd}, false);
  std::vector<Digest> found;
  for (const Descriptor& blob : blobs_of_image(*store_, index)) found.push_back(blob.digest);
  EXPECT_THAT(found,
              UnorderedElementsAre(index.digest, amd.manifest.digest, amd.config.digest, amd.layers[0].digest,
                                   arm.manifest.digest, arm.config.digest, arm.layers[0].digest));
}

TEST_F(LayoutExport, DirectoryIsALayoutWhoseBlobsHaveTheirDigests) {
  const Descriptor image = two_platforms();
  export_layout_directory(*store_, image, names({"app:1"}), out_, {});
  const auto files = files_below(out_);
  EXPECT_EQ(files.size(), 7U + 2U);
  EXPECT_EQ(files.at("oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  for (const Descriptor& blob : blobs_of_image(*store_, image))
    EXPECT_EQ(Digest::of(files.at(concat("blobs/sha256/", blob.digest.hex()))), blob.digest);
  const Index index = index_of(out_);
  ASSERT_EQ(index.manifests.size(), 1U);
  EXPECT_EQ(index.manifests[0].digest, image.digest);
  EXPECT_EQ(index.manifests[0].media_type, image.media_type);
  EXPECT_EQ(index.manifests[0].annotations.at("org.opencontainers.image.ref.name"), "1");
  EXPECT_EQ(index.manifests[0].annotations.at("io.containerd.image.name"), "docker.io/library/app:1");
}

TEST_F(LayoutExport, BlobThatWasCutOffInTheDirectoryIsWrittenAgain) {
  const Descriptor image = two_platforms();
  export_layout_directory(*store_, image, names({"app:1"}), out_, {});
  const auto whole = files_below(out_);
  write_file_atomic(out_ / "blobs/sha256" / image.digest.hex(), "");
  export_layout_directory(*store_, image, names({"app:1"}), out_, {});
  EXPECT_EQ(files_below(out_), whole);
}

TEST_F(LayoutExport, ExportThatWaitsForAnotherCanBeStopped) {
  const Descriptor image = two_platforms();
  export_layout_directory(*store_, image, names({"app:1"}), out_, {});
  const UniqueFd other = open_file(out_, O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(export_layout_directory(*store_, image, names({"app:2"}), out_, stop.get_token()), Cancelled);
  EXPECT_EQ(named_in(out_).size(), 1U);
}

TEST_F(LayoutExport, DirectoryAndTarHaveTheSameFiles) {
  const Descriptor image = two_platforms();
  export_layout_directory(*store_, image, names({"app:1", "app:2"}), out_, {});
  export_layout_tar(*store_, image, names({"app:1", "app:2"}), directory_.path() / "out.tar", {});
  EXPECT_EQ(files_of_tar(read_file(directory_.path() / "out.tar")), files_below(out_));
}

TEST_F(LayoutExport, TarIsTheSameByteForByte) {
  const Descriptor image = two_platforms();
  export_layout_tar(*store_, image, names({"app:1"}), directory_.path() / "1.tar", {});
  const auto other_store = Store::open(directory_.path() / "other", logger_);
  for (const Descriptor& blob : blobs_of_image(*store_, image))
    other_store->blobs().put(store_->blobs().read(blob.digest));
  export_layout_tar(*other_store, image, names({"app:1"}), directory_.path() / "2.tar", {});
  EXPECT_EQ(Digest::of(read_file(directory_.path() / "1.tar")),
            Digest::of(read_file(directory_.path() / "2.tar")));
}

TEST_F(LayoutExport, AnotherNameIsAdded) {
  const Descriptor first = two_platforms("one"), second = two_platforms("two");
  export_layout_directory(*store_, first, names({"a:1"}), out_, {});
  export_layout_directory(*store_, second, names({"b:1"}), out_, {});
  const std::multimap<std::string, Digest> expected{{"docker.io/library/a:1", first.digest},
                                                    {"docker.io/library/b:1", second.digest}};
  EXPECT_EQ(named_in(out_), expected);
}

TEST_F(LayoutExport, TheSameNameIsReplacedAndNoOther) {
  const Descriptor first = two_platforms("one"), second = two_platforms("two");
  export_layout_directory(*store_, first, names({"a:1", "b:1"}), out_,
                          {});  // the same tag of another repository stays
  export_layout_directory(*store_, second, names({"a:1"}), out_, {});
  const std::multimap<std::string, Digest> expected{{"docker.io/library/a:1", second.digest},
                                                    {"docker.io/library/b:1", first.digest}};
  EXPECT_EQ(named_in(out_), expected);
}

TEST_F(LayoutExport, ImageWithoutANameIsListedOnce) {
  const Descriptor image = two_platforms();
  export_layout_directory(*store_, image, {}, out_, {});
  export_layout_directory(*store_, image, {}, out_, {});
  EXPECT_THAT(index_of(out_).manifests, ElementsAre(image));
}

TEST_F(LayoutExport, NamingAnImageDoesNotTakeAnothersEntry) {
  const Descriptor unnamed = two_platforms("one"), image = two_platforms("two");
  export_layout_directory(*store_, unnamed, {}, out_, {});
  export_layout_directory(*store_, image, names({"a:1"}), out_, {});
  const std::multimap<std::string, Digest> expected{{"", unnamed.digest},
                                                    {"docker.io/library/a:1", image.digest}};
  EXPECT_EQ(named_in(out_), expected);
}

TEST_F(LayoutExport, OnePlatformIsListedWithItsPlatform) {
  const AssembledImage image = simple_image(*store_, "linux/arm/v7");
  export_layout_directory(*store_, image.manifest, names({"a:1"}), out_, {});
  EXPECT_EQ(index_of(out_).manifests.at(0).platform, Platform::parse("linux/arm/v7"));
}

TEST_F(LayoutExport, DirectoryExportThatFailsLeavesTheIndexAsItWas) {
  const Descriptor first = two_platforms("one");
  export_layout_directory(*store_, first, names({"a:1"}), out_, {});
  const AssembledImage broken = simple_image(*store_, "linux/amd64", "two");
  store_->blobs().remove(broken.layers.at(0).digest);
  EXPECT_THROW(export_layout_directory(*store_, broken.manifest, names({"a:1"}), out_, {}), NotFound);
  const std::multimap<std::string, Digest> expected{{"docker.io/library/a:1", first.digest}};
  EXPECT_EQ(named_in(out_), expected);
  for (const auto& [name, bytes] : files_below(out_)) EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
}

TEST_F(LayoutExport, IndexThatIsNoneIsRefusedAndKept) {
  fs::create_directories(out_);
  write_file_atomic(out_ / "index.json", "my shopping list");
  EXPECT_THROW(export_layout_directory(*store_, two_platforms(), names({"a:1"}), out_, {}), InvalidInput);
  EXPECT_EQ(read_file(out_ / "index.json"), "my shopping list");
}

TEST_F(LayoutExport, TarExportThatFailsLeavesNoFile) {
  const AssembledImage broken = simple_image(*store_, "linux/amd64");
  store_->blobs().remove(broken.layers.at(0).digest);
  fs::create_directories(out_);
  EXPECT_THROW(export_layout_tar(*store_, broken.manifest, names({"a:1"}), out_ / "out.tar", {}), NotFound);
  EXPECT_THAT(files_below(out_), IsEmpty());
}

TEST_F(LayoutExport, TarExportThatFailsLeavesTheOldFile) {
  const AssembledImage broken = simple_image(*store_, "linux/amd64");
  store_->blobs().remove(broken.layers.at(0).digest);
  fs::create_directories(out_);
  write_file_atomic(out_ / "out.tar", "yesterday's");
  EXPECT_THROW(export_layout_tar(*store_, broken.manifest, names({"a:1"}), out_ / "out.tar", {}), NotFound);
  EXPECT_THAT(files_below(out_), ElementsAre(testing::Pair("out.tar", "yesterday's")));
}

TEST_F(LayoutExport, StoppedExportLeavesNoFile) {
  const AssembledImage image = simple_image(*store_, "linux/amd64");
  std::stop_source stop;
  stop.request_stop();
  fs::create_directories(out_);
  EXPECT_THROW(export_layout_tar(*store_, image.manifest, names({"a:1"}), out_ / "out.tar", stop.get_token()),
               Cancelled);
  EXPECT_THROW(
      export_layout_directory(*store_, image.manifest, names({"a:1"}), out_ / "dir", stop.get_token()),
      Cancelled);
  EXPECT_THAT(files_below(out_), IsEmpty());
}

TEST_F(LayoutExport, LayerWithOtherBytesIsNoticedAndRemoved) {
  const AssembledImage image = simple_image(*store_, "linux/amd64");
  const fs::path blob = store_->blobs().path_of(image.layers.at(0).digest);
  const std::string whole = read_file(blob), shorter = whole.substr(0, 3),
                    other = whole.substr(0, whole.size() - 1) + "?";
  fs::create_directories(out_ / "tar");
  for (const std::string& damaged : {shorter, other}) {
    write_file_atomic(blob, damaged);
    EXPECT_THROW(export_layout_tar(*store_, image.manifest, names({"a:1"}), out_ / "tar" / "out.tar", {}),
                 IntegrityError);
    EXPECT_THAT(files_below(out_ / "tar"), IsEmpty());
    EXPECT_FALSE(fs::exists(blob));
    write_file_atomic(blob, damaged);
    EXPECT_THROW(export_layout_directory(*store_, image.manifest, names({"a:1"}), out_ / "dir", {}),
                 IntegrityError);
    EXPECT_FALSE(fs::exists(out_ / "dir" / "index.json"));
    EXPECT_FALSE(fs::exists(blob));
  }
}

TEST_F(LayoutExport, MissingDirectoryOfTheTarIsASystemErrorThatNamesIt) {
  try {
    export_layout_tar(*store_, two_platforms(), names({"a:1"}), out_ / "none" / "out.tar", {});
    FAIL() << "should have thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("none/out.tar"));
  }
}

}  // namespace
}  // namespace slipway
