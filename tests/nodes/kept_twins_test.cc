#include "nodes/kept_twins.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"

namespace slipway {
namespace {
namespace fs = std::filesystem;

const std::vector<fs::path> kPacks = {"/trees/pack", "/trees/other"};

class KeptTwinsTest : public testing::Test {
 protected:
  static Digest key(const std::string& name) { return Digest::of(name); }
  fs::path work(const std::string& name) {
    const fs::path path = directory_.path() / ("work-" + name);
    fs::create_directories(path / KeptTwins::kCopies);
    write_file_atomic(path / KeptTwins::kCopies / "program", name);
    return path;
  }
  static AcceleratedRoot root(const fs::path& work) {
    AcceleratedRoot root;
    root.trees = {work / KeptTwins::kCopies, kPacks[1], kPacks[0]};
    root.machine = "aarch64";
    root.twins.push_back({.target = "/usr/bin/make",
                          .identity = {.inode = 1, .size = 2, .mtime_ns = 3, .ctime_ns = 4},
                          .package = "make",
                          .version = "4.4",
                          .source = "debian",
                          .tree = 0,
                          .program = "/program",
                          .loader = {},
                          .library_path = {},
                          .declined_names = {},
                          .multi_call = {},
                          .rules = {}});
    return root;
  }
  std::optional<KeptRoot> keep(const KeptTwins& kept, const std::string& name) {
    const fs::path made = work(name);
    return kept.keep(key(name), root(made), kPacks, made);
  }

  TempDir directory_;
  const fs::path place_ = directory_.path() / "kept";
};

TEST_F(KeptTwinsTest, AreFoundAgainWhereverTheirTreesAreThen) {
  const KeptTwins kept(place_);
  ASSERT_TRUE(keep(kept, "a"));
  const auto found = kept.find(key("a"), {"/elsewhere/pack", "/elsewhere/other"});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->root.trees.size(), 3u);
  EXPECT_EQ(read_file(found->root.trees[0] / "program"), "a");
  EXPECT_EQ(found->root.trees[1], "/elsewhere/other");
  EXPECT_EQ(found->root.trees[2], "/elsewhere/pack");
  EXPECT_EQ(found->root.twins.at(0).target, "/usr/bin/make");
  EXPECT_FALSE(kept.find(key("b"), kPacks));
}

TEST_F(KeptTwinsTest, CopiesThatAreTheSameTakeTheirSpaceOnce) {
  const KeptTwins kept(place_);
  const auto keep_with = [&](const std::string& name) {
    const fs::path made = work(name);
    write_file_atomic(made / KeptTwins::kCopies / "library", "of all", Durability::None, 0755);
    return kept.keep(key(name), root(made), kPacks, made);
  };
  const auto first = keep_with("a"), second = keep_with("b");
  ASSERT_TRUE(first && second);
  const fs::path one = first->root.trees[0], other = second->root.trees[0];
  EXPECT_TRUE(fs::equivalent(one / "library", other / "library"));
  EXPECT_FALSE(fs::equivalent(one / "program", other / "program"));
  EXPECT_EQ(read_file(other / "program"), "b");
  EXPECT_EQ(std::distance(fs::directory_iterator(other), fs::directory_iterator()), 2);
}

TEST_F(KeptTwinsTest, WhatIsKeptIsNotChanged) {
  const KeptTwins kept(place_);
  const auto first = keep(kept, "a");
  ASSERT_TRUE(first);
  const fs::path again = directory_.path() / "again";
  fs::create_directories(again / KeptTwins::kCopies);
  EXPECT_FALSE(kept.keep(key("a"), root(again), kPacks, again));
  EXPECT_TRUE(fs::exists(again));
  EXPECT_EQ(read_file(first->root.trees[0] / "program"), "a");
}

TEST_F(KeptTwinsTest, DamageIsAsIfNothingWereThere) {
  const KeptTwins kept(place_);
  ASSERT_TRUE(keep(kept, "a"));
  std::ofstream(place_ / key("a").hex() / "root.json") << "{";
  EXPECT_FALSE(kept.find(key("a"), kPacks));
}

TEST_F(KeptTwinsTest, AreNoneWhereATreeIsMissing) {
  const KeptTwins kept(place_);
  ASSERT_TRUE(keep(kept, "a"));
  EXPECT_FALSE(kept.find(key("a"), {"/trees/pack"}));
}

TEST_F(KeptTwinsTest, GoWhenThereAreTooManyUnlessTheyAreHeld) {
  const KeptTwins kept(place_, 1);
  auto held = keep(kept, "held");
  ASSERT_TRUE(held);
  ASSERT_TRUE(keep(kept, "free"));
  ASSERT_TRUE(keep(kept, "last"));
  EXPECT_TRUE(kept.find(key("held"), kPacks));
  EXPECT_FALSE(kept.find(key("free"), kPacks));
}

}  // namespace
}  // namespace slipway
