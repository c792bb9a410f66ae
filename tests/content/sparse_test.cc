// Files with holes: what they cost is what is written in them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "content/content_digest.h"
#include "content/file_bytes.h"
#include "content/mount_environment.h"
#include "content/tree.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

constexpr std::uint64_t kTera = std::uint64_t{1} << 40;

class Sparse : public testing::Test {
 protected:
  /// A file of `size` with `text` at the places given; everything else is a hole.
  UniqueFd make(const std::string& name, std::uint64_t size, const std::vector<std::uint64_t>& places,
                std::string_view text = "text") {
    UniqueFd fd = open_file(directory_.path() / name, O_RDWR | O_CREAT | O_TRUNC);
    for (const std::uint64_t place : places) write_at(fd.get(), place, text, name);
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) throw SystemError(errno, "truncate", name);
    return fd;
  }
  /// The same bytes, all of them written.
  UniqueFd make_full(const std::string& name, int like, std::uint64_t size) {
    std::string bytes(size, '\0');
    EXPECT_EQ(::pread(like, bytes.data(), size, 0), static_cast<ssize_t>(size));
    UniqueFd fd = open_file(directory_.path() / name, O_RDWR | O_CREAT | O_TRUNC);
    write_all(fd.get(), bytes, name);
    return fd;
  }
  static Digest digest(const UniqueFd& fd) {
    struct stat status {};
    ::fstat(fd.get(), &status);
    return digest_of_content(fd.get(), static_cast<std::uint64_t>(status.st_size), "file", {});
  }
  TempDir directory_{test_space(), "sparse"};
};

TEST_F(Sparse, DigestIsOfTheBytesNotOfTheHoles) {
  for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{4095}, std::uint64_t{4097},
                                   std::uint64_t{1'000'003}, std::uint64_t{3} << 20}) {
    const UniqueFd sparse = make("sparse", size, {});
    EXPECT_EQ(digest(sparse), digest(make_full("full", sparse.get(), size))) << size;
  }
  const UniqueFd sparse = make("sparse", 2'000'001, {0, 700'001, 1'999'990});
  EXPECT_EQ(digest(sparse), digest(make_full("full", sparse.get(), 2'000'001)));
}

TEST_F(Sparse, FileThatIsShorterThanItWasIsCopiedToItsEnd) {
  const std::uint64_t now = 100'000, before = 300'000;
  const UniqueFd from = make("from", now, {0, now - 4});
  const UniqueFd to = open_file(directory_.path() / "to", O_RDWR | O_CREAT);
  copy_bytes(from.get(), to.get(), before, "to", {});
  make("expected", before, {0, now - 4});
  EXPECT_EQ(read_file(directory_.path() / "to"), read_file(directory_.path() / "expected"));
}

TEST_F(Sparse, DigestTellsPlacesSizesAndBytesApart) {
  const Digest one = digest(make("a", 1'000'000, {40'960}));
  EXPECT_NE(one, digest(make("b", 1'000'000, {45'056})));
  EXPECT_NE(one, digest(make("c", 1'000'001, {40'960})));
  EXPECT_NE(one, digest(make("d", 1'000'000, {40'960}, "TEXT")));
}

TEST_F(Sparse, FileWithoutAZeroBlockHasItsPlainDigest) {
  const std::string bytes(500'000, 'x');
  const UniqueFd fd = open_file(directory_.path() / "plain", O_RDWR | O_CREAT);
  write_all(fd.get(), bytes, "plain");
  EXPECT_EQ(digest(fd), Digest::of(bytes));
  EXPECT_EQ(digest(make("empty", 0, {})), Digest::of(""));
}

TEST_F(Sparse, TerabyteOfHolesIsDigestedAndCopiedAtOnce) {
  TreeMaker(directory_.path() / "from").directory("");
  TreeMaker(directory_.path() / "to").directory("");
  try {
    make("from/big", kTera, {0, kTera / 2, kTera - 4});
  } catch (const SystemError& error) {
    if (error.error_number() == EFBIG) GTEST_SKIP() << "this file system has no files of a terabyte";
    throw;
  }
  const RootedDir from(directory_.path() / "from"), to(directory_.path() / "to");
  copy_selection({.tree = &from, .src = "/"}, to, {.dest = "/"}, {});
  EXPECT_EQ(digest_selection({.tree = &from, .src = "/"}, true, nullptr, {}),
            digest_selection({.tree = &to, .src = "/"}, true, nullptr, {}));
  struct stat status {};
  ASSERT_EQ(::stat((directory_.path() / "to/big").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, static_cast<off_t>(kTera));
  EXPECT_LT(status.st_blocks, 2048);
}

}  // namespace
}  // namespace slipway::testing_support
