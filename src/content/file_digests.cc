// Files of one tree have inode numbers near one another, so what is known of a file is looked up together
// with what is known of its neighbours: a query for each of 50,000 files takes longer than all else about
// them.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/synchronized.h"
#include "content/database.h"
#include "content/store.h"

namespace slipway {
namespace {

constexpr std::uint64_t kCapacity = 1'000'000;  // about 150 MB of database

constexpr std::uint64_t kNeighbours = 512;

/// A device and the number of a run of inodes.
using Neighbourhood = std::pair<std::uint64_t, std::uint64_t>;

struct IdentityHash {
  std::size_t operator()(const FileDigests::Identity& identity) const noexcept {
    return std::hash<std::uint64_t>{}(identity.inode ^ (identity.device << 48));
  }
};
using DigestMap = std::unordered_map<FileDigests::Identity, Digest, IdentityHash>;

/// What the database says of one, by inode.
using Rows = std::vector<Database::FileDigestRow>;

FileDigests::Identity identity_of(const Database::FileDigestRow& row) {
  return {.device = row.device,
          .inode = row.inode,
          .size = row.size,
          .mtime_ns = row.mtime_ns,
          .ctime_ns = row.ctime_ns};
}

std::optional<Digest> find_in(const Rows& rows, const FileDigests::Identity& identity) {
  const auto row = std::ranges::lower_bound(rows, identity.inode, {}, &Database::FileDigestRow::inode);
  if (row == rows.end() || identity_of(*row) != identity) return std::nullopt;
  return row->digest;
}

}  // namespace

struct FileDigests::Pending {
  struct Known {
    DigestMap fresh;  ///< remembered, and not yet in the database
    std::map<Neighbourhood, Rows> stored;
  };
  Synchronized<Known> known;
};

FileDigests::FileDigests(Database& database) : database_(database), pending_(std::make_unique<Pending>()) {}
FileDigests::~FileDigests() = default;

std::optional<Digest> FileDigests::find(const Identity& identity) {
  const Neighbourhood neighbourhood{identity.device, identity.inode / kNeighbours};
  {
    auto known = pending_->known.lock();
    if (const auto found = known->fresh.find(identity); found != known->fresh.end()) return found->second;
    if (const auto read = known->stored.find(neighbourhood); read != known->stored.end())
      return find_in(read->second, identity);
  }
  const std::uint64_t first = neighbourhood.second * kNeighbours;
  Rows rows = database_.file_digests(identity.device, first, first + kNeighbours - 1);
  std::optional<Digest> found = find_in(rows, identity);
  pending_->known.lock()->stored.try_emplace(neighbourhood, std::move(rows));
  return found;
}

void FileDigests::remember(const Identity& identity, const Digest& digest) {
  pending_->known.lock()->fresh.insert_or_assign(identity, digest);
}

void FileDigests::flush() {
  DigestMap digests;
  digests.swap(pending_->known.lock()->fresh);
  if (digests.empty()) return;
  std::vector<Database::FileDigestRow> rows;
  rows.reserve(digests.size());
  for (const auto& [identity, digest] : digests)
    rows.push_back({.device = identity.device,
                    .inode = identity.inode,
                    .size = identity.size,
                    .mtime_ns = identity.mtime_ns,
                    .ctime_ns = identity.ctime_ns,
                    .digest = digest});
  std::ranges::sort(rows, {}, [](const auto& row) { return std::pair(row.device, row.inode); });
  database_.put_file_digests(rows, kCapacity);
  pending_->known.lock()->stored.clear();  // of which some is old now; it can be read again
}

}  // namespace slipway
