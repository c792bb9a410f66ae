#include "nodes/emulation_marks.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

using By = EmulationMark::By;

const Platform kArm = Platform::parse("linux/arm64"), kRiscv = Platform::parse("linux/riscv64");

TEST(EmulationMarks, AResultIsVouchedForNoFurtherThanWhatItIsMadeOf) {
  EmulationMarks marks{{kArm, {.by = By::Both}}};
  add_marks(marks, {{kArm, {.by = By::Twins}}, {kRiscv, {.by = By::Emulator}}});
  add_marks(marks, {{kArm, {.by = By::Emulator}}});
  EXPECT_EQ(marks, (EmulationMarks{{kArm, {.by = By::Twins}}, {kRiscv, {.by = By::Emulator}}}));
  add_marks(marks, {{kArm, {}}});
  EXPECT_EQ(marks.at(kArm).by, By::Unknown);
}

TEST(EmulationMarks, ComparedWithOtherPacksEachIsComparedWithNone) {
  EmulationMarks marks{{kArm, {.by = By::Both, .packs = "one"}}};
  add_marks(marks, {{kArm, {.by = By::Both, .packs = "one"}}});
  EXPECT_EQ(marks.at(kArm), (EmulationMark{.by = By::Both, .packs = "one"}));
  add_marks(marks, {{kArm, {.by = By::Both, .packs = "other"}}});
  EXPECT_EQ(marks.at(kArm), EmulationMark{.by = By::Emulator});
}

TEST(EmulationMarks, WrittenAndReadAgainAreTheSame) {
  const EmulationMarks marks{{kArm, {.by = By::Both, .packs = "0123456789ab"}}, {kRiscv, {.by = By::Twins}}};
  EXPECT_EQ(to_text(marks), "linux/arm64=both:0123456789ab,linux/riscv64=twins");
  EXPECT_EQ(parse_emulation_marks(to_text(marks)), marks);
  EXPECT_EQ(parse_emulation_marks(to_text({})), EmulationMarks{});
}

TEST(EmulationMarks, WhatNobodyWroteSaysNothing) {
  for (const char* text : {"linux/arm64", "linux/arm64=surely", "=twins", "linux/arm64=twins,", "a b=twins"})
    EXPECT_EQ(parse_emulation_marks(text), std::nullopt) << text;
}

}  // namespace
}  // namespace slipway
