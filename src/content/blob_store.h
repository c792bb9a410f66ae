#pragma once
// Blobs by digest, in the OCI image-layout form (blobs/sha256/HEX). A blob is there whole or not at all:
// written to a temp file, fsynced, renamed.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/unique_fd.h"

namespace slipway {

struct BlobInfo {
  Digest digest;
  std::uint64_t size = 0;
};

/// Told of each blob before it is looked for or made, so that it is not pruned from then on.
using BlobUse = std::function<void(const Digest&)>;

/// Receives one blob in pieces. Destroyed without commit(): nothing remains. One owner, not thread-safe.
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept;
  ~BlobWriter();
  /// Throws SystemError; ENOSPC's message says how much space the store's file system has left.
  void write(std::string_view bytes);
  std::uint64_t written() const { return written_; }
  /// Back to nothing (a server that could not resume a download starts again).
  void restart();
  /// Makes the blob durable and visible. Throws IntegrityError, leaving nothing, if `expected` is another
  /// digest.
  BlobInfo commit(const std::optional<Digest>& expected = {});

 private:
  friend class BlobStore;
  BlobWriter(std::filesystem::path blobs, std::filesystem::path temp, const BlobUse* use);
  std::filesystem::path blobs_, temp_;
  const BlobUse* use_;  ///< the store's, which outlives its writers
  UniqueFd fd_;
  Sha256 hash_;
  std::uint64_t written_ = 0;
};

/// Thread-safe, and safe with other processes on the same store.
class BlobStore {
 public:
  /// Without `use`, for looking at what may be pruned meanwhile.
  BlobStore(std::filesystem::path blobs_directory, std::filesystem::path temp_directory, BlobUse use = {});
  bool has(const Digest& digest) const;
  std::optional<std::uint64_t> size(const Digest& digest) const;
  std::filesystem::path path_of(const Digest& digest) const;
  /// Throws NotFound.
  UniqueFd open(const Digest& digest) const;
  /// All of it. Throws NotFound, InvalidInput above `limit`, IntegrityError if the bytes have another digest
  /// by now.
  std::string read(const Digest& digest, std::size_t limit = std::size_t{64} << 20) const;
  /// Durable when it returns.
  BlobInfo put(std::string_view bytes);
  BlobWriter create();
  std::vector<Digest> list() const;  ///< sorted
  /// Removes it, so that it is fetched or made anew, if its bytes have another digest; returns whether it did.
  /// Reads all of it.
  bool remove_if_damaged(const Digest& digest);
  /// Nothing happens if it is not there.
  void remove(const Digest& digest);

 private:
  void note_use(const Digest& digest) const;
  /// Of a blob that was last changed then: renaming is a change.
  void make_name_durable(std::int64_t changed);
  std::filesystem::path blobs_, temp_;
  BlobUse use_;
  /// Names given before then are durable; nanoseconds since 1970, by the file system's clock.
  std::atomic<std::int64_t> names_synced_{0};
};

}  // namespace slipway
