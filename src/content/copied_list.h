#pragma once
// What a copy of a context's directory put where, kept beside its snapshot, so that the next copy need not do
// again what is the same (copy_amend.h).
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/selection_list.h"
#include "content/tree.h"

namespace slipway {

struct CopiedList {
  /// Stands for all that a copy made at one path: type, bytes, target, owner, mode and time. The first 16
  /// bytes of a SHA-256; zeros where nobody knows.
  using Mark = std::array<unsigned char, 16>;
  struct Item {
    std::string path;  ///< relative to the directory; "" is itself
    bool is_directory = false;
    Mark mark{};
    bool is_same_as(const Item& other) const { return mark == other.mark && mark != Mark{}; }
  };

  std::string place;         ///< these two as in CopiedDirectory
  bool place_is_new = false;
  std::vector<Item> items;  ///< as SelectionList has them, one for each

  /// What copying `list` so makes. Nothing for a list with hard links: what is linked to what is not kept.
  static std::optional<CopiedList> of(const SelectionList& list, const CopiedDirectory& how);
  /// `before` is what of() was given, `after` was listed when all was copied: nobody knows what was copied of
  /// what is another now. False: of so much that the list says nothing.
  bool forget_changed(const SelectionList& before, const SelectionList& after);

  std::string bytes() const;
  /// Nothing if that is no such list.
  static std::optional<CopiedList> parse(std::string_view bytes);
};

}  // namespace slipway
