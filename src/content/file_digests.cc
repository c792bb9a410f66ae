// Files of one tree have inode numbers near one another, so what is known of a file is looked up together
// with what is known of its neighbours: a query for each of 50,000 files takes longer than all else about
// them.
#include <map>
#include <set>
#include <utility>

#include "base/synchronized.h"
#include "content/database.h"
#include "content/store.h"

namespace slipway {
namespace {

constexpr std::uint64_t kCapacity = 1'000'000;  // about 150 MB of database

constexpr std::uint64_t kNeighbours = 512;

/// A device and the number of a run of inodes.
using Neighbourhood = std::pair<std::uint64_t, std::uint64_t>;

}  // namespace

struct FileDigests::Pending {
  struct Known {
    std::set<Neighbourhood> read;
    std::map<Identity, Digest> digests;  ///< what the database said when they were read
  };
  Synchronized<std::map<Identity, Digest>> digests;
  Synchronized<Known> known;
};

FileDigests::FileDigests(Database& database) : database_(database), pending_(std::make_unique<Pending>()) {}
FileDigests::~FileDigests() = default;

std::optional<Digest> FileDigests::find(const Identity& identity) {
  {
    auto digests = pending_->digests.lock();
    if (const auto known = digests->find(identity); known != digests->end()) return known->second;
  }
  const auto find_known = [&]() -> std::optional<Digest> {
    auto known = pending_->known.lock();
    const auto found = known->digests.find(identity);
    return found == known->digests.end() ? std::nullopt : std::optional(found->second);
  };
  const Neighbourhood neighbourhood{identity.device, identity.inode / kNeighbours};
  if (pending_->known.lock()->read.contains(neighbourhood)) return find_known();
  const std::uint64_t first = neighbourhood.second * kNeighbours;
  const auto rows = database_.file_digests(identity.device, first, first + kNeighbours - 1);
  {
    auto known = pending_->known.lock();
    known->read.insert(neighbourhood);
    for (const Database::FileDigestRow& row : rows)
      known->digests.insert_or_assign({.device = row.device,
                                       .inode = row.inode,
                                       .size = row.size,
                                       .mtime_ns = row.mtime_ns,
                                       .ctime_ns = row.ctime_ns},
                                      row.digest);
  }
  return find_known();
}

void FileDigests::remember(const Identity& identity, const Digest& digest) {
  pending_->digests.lock()->insert_or_assign(identity, digest);
}

void FileDigests::flush() {
  std::map<Identity, Digest> digests;
  digests.swap(*pending_->digests.lock());
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
  database_.put_file_digests(rows, kCapacity);
  auto known = pending_->known.lock();
  for (auto& [identity, digest] : digests) known->digests.insert_or_assign(identity, std::move(digest));
}

}  // namespace slipway
