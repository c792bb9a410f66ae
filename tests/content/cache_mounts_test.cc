#include "content/cache_mounts.h"

#include <sys/stat.h>

#include <future>
#include <optional>
#include <thread>

#include "content/store_fixture.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing_support::entries_of;
using testing_support::OtherProcess;
using testing_support::write_text;

class CacheMountsTest : public testing_support::StoreTest {
 protected:
  CacheLease acquire(const std::string& name, CacheUse use) {
    return store_->cache_mounts().acquire({.name = name, .use = use, .fill = {}, .on_wait = {}}, {});
  }
  /// Another process with a store of its own, which uses the cache until it is told to end.
  std::function<std::unique_ptr<Store>()> user_of(const std::string& name, CacheUse use) {
    return [this, name, use] {
      std::unique_ptr<Store> store = open();
      static std::optional<CacheLease> kept;
      kept.emplace(store->cache_mounts().acquire({.name = name, .use = use, .fill = {}, .on_wait = {}}, {}));
      write_text(kept->path() / "mark", "theirs");
      return store;
    };
  }
  std::unique_ptr<Store> store_ = open();
};

TEST_F(CacheMountsTest, ContentSurvivesTheStore) {
  write_text(acquire("a", CacheUse::Shared).path() / "file", "kept");
  store_.reset();
  store_ = open();
  EXPECT_EQ(read_file(acquire("a", CacheUse::Locked).path() / "file"), "kept");
  EXPECT_EQ(entries_of(acquire("b", CacheUse::Shared).path()), 0u) << "another name is another cache";
}

TEST_F(CacheMountsTest, NewCopyIsEmptyAndOpenToAllUsers) {
  struct stat status {};
  ASSERT_EQ(::stat(acquire("a", CacheUse::Private).path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755u);
}

TEST_F(CacheMountsTest, NewCopyStartsAsItIsFilled) {
  int fills = 0;
  const CacheMounts::Request request{.name = "a",
                                     .use = CacheUse::Locked,
                                     .fill =
                                         [&](const fs::path& parent) {
                                           ++fills;
                                           fs::create_directory(parent / "new");
                                           write_text(parent / "new" / "file", "first");
                                         },
                                     .on_wait = {}};
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(read_file(store_->cache_mounts().acquire(request, {}).path() / "file"), "first");
  EXPECT_EQ(fills, 1);
}

TEST_F(CacheMountsTest, FillThatThrowsLeavesNothingLocked) {
  const CacheMounts::Request request{.name = "a",
                                     .use = CacheUse::Locked,
                                     .fill = [](const fs::path&) { throw InvalidInput("no"); },
                                     .on_wait = {}};
  EXPECT_THROW(store_->cache_mounts().acquire(request, {}), InvalidInput);
  EXPECT_EQ(entries_of(acquire("a", CacheUse::Locked).path()), 0u);
}

TEST_F(CacheMountsTest, SharedUsersOfAllProcessesAreInOneDirectory) {
  OtherProcess other(user_of("a", CacheUse::Shared));
  ASSERT_TRUE(other.wait_ready());
  EXPECT_EQ(read_file(acquire("a", CacheUse::Shared).path() / "mark"), "theirs");
}

TEST_F(CacheMountsTest, PrivateUsersHaveACopyEachAndReuseIt) {
  OtherProcess other(user_of("a", CacheUse::Private));
  ASSERT_TRUE(other.wait_ready());
  const fs::path first = acquire("a", CacheUse::Private).path();
  EXPECT_FALSE(fs::exists(first / "mark"));
  EXPECT_EQ(acquire("a", CacheUse::Private).path(), first);
  EXPECT_EQ(other.end(), 0);
  EXPECT_TRUE(fs::exists(acquire("a", CacheUse::Private).path() / "mark")) << "free again";
}

TEST_F(CacheMountsTest, SharedUserGoesNotWhereSomebodyIsAlone) {
  const CacheLease alone = acquire("a", CacheUse::Locked);
  const CacheLease one = acquire("a", CacheUse::Shared), two = acquire("a", CacheUse::Shared);
  EXPECT_NE(one.path(), alone.path());
  EXPECT_EQ(one.path(), two.path());
}

TEST_F(CacheMountsTest, SharedUsersMeetWhereOthersShareAlready) {
  std::optional<CacheLease> alone(acquire("a", CacheUse::Private));
  const CacheLease one = acquire("a", CacheUse::Shared);
  alone.reset();
  EXPECT_EQ(acquire("a", CacheUse::Shared).path(), one.path());
}

TEST_F(CacheMountsTest, LockedUserWaitsForTheOneOfAnotherProcess) {
  OtherProcess other(user_of("a", CacheUse::Locked));
  ASSERT_TRUE(other.wait_ready());
  int waits = 0;
  const CacheMounts::Request request{.name = "a", .use = CacheUse::Locked, .fill = {}, .on_wait = [&] {
                                       ++waits;
                                       EXPECT_EQ(other.end(), 0);
                                     }};
  EXPECT_EQ(read_file(store_->cache_mounts().acquire(request, {}).path() / "mark"), "theirs");
  EXPECT_EQ(waits, 1);
}

TEST_F(CacheMountsTest, LockDiesWithItsOwner) {
  OtherProcess other(user_of("a", CacheUse::Locked));
  ASSERT_TRUE(other.wait_ready());
  other.kill_now();
  EXPECT_EQ(read_file(acquire("a", CacheUse::Locked).path() / "mark"), "theirs");
}

TEST_F(CacheMountsTest, WaitIsCancelled) {
  const CacheLease first = acquire("a", CacheUse::Locked);
  std::stop_source stop;
  const CacheMounts::Request request{
      .name = "a", .use = CacheUse::Locked, .fill = {}, .on_wait = [&] { stop.request_stop(); }};
  EXPECT_THROW(store_->cache_mounts().acquire(request, stop.get_token()), Cancelled);
}

TEST_F(CacheMountsTest, LockedUsersAreNeverTwoAtOnce) {
  constexpr int kUsers = 4, kTurns = 20;
  const fs::path counter = directory_.path() / "counter";
  write_text(counter, "0");
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kUsers; ++i)
      threads.emplace_back([&] {
        for (int turn = 0; turn < kTurns; ++turn) {
          const CacheLease lease = acquire("a", CacheUse::Locked);
          write_text(counter, std::to_string(std::stoi(read_file(counter)) + 1));
        }
      });
  }
  EXPECT_EQ(read_file(counter), std::to_string(kUsers * kTurns));
}

}  // namespace
}  // namespace slipway
