#pragma once
// Where slipway-exec finds things in a step.
namespace slipway {

inline constexpr char kTwinDirectory[] = "/dev/.slipway";
inline constexpr char kTablePath[] = "/dev/.slipway/table";
inline constexpr char kCountsPath[] = "/dev/.slipway/counts";

}  // namespace slipway
