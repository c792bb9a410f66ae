#include <map>

#include "base/synchronized.h"
#include "content/database.h"
#include "content/store.h"

namespace slipway {
namespace {

constexpr std::uint64_t kCapacity = 1'000'000;  // about 150 MB of database

}  // namespace

struct FileDigests::Pending {
  Synchronized<std::map<Identity, Digest>> digests;
};

FileDigests::FileDigests(Database& database) : database_(database), pending_(std::make_unique<Pending>()) {}
FileDigests::~FileDigests() = default;

std::optional<Digest> FileDigests::find(const Identity& identity) {
  {
    auto digests = pending_->digests.lock();
    if (const auto known = digests->find(identity); known != digests->end()) return known->second;
  }
  return database_.find_file_digest(identity.device, identity.inode, identity.size, identity.mtime_ns,
                                    identity.ctime_ns);
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
}

}  // namespace slipway
