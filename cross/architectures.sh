# shellcheck shell=bash
# Which binary serves which router: OpenWrt's name of an architecture, as `opkg print-architecture` prints it, the
# target of targets.sh whose binary runs there, and an example of such routers (for people). There is no target for
# i386_pentium4, for the MIPS and PowerPC cores that are not here, and for ARMv4. Sourced by ipk.sh.
readonly ARCHITECTURES="\
mips_24kc                  mips    ath79
mipsel_24kc                mipsel  ramips: mt7621, mt76x8
arm_arm926ej-s             armv5te kirkwood-like boards without floating point
arm_xscale                 armv5te kirkwood
arm_arm1176jzf-s_vfp       arm     bcm2708: Raspberry Pi 1
arm_cortex-a7_neon-vfpv4   armv7   ipq40xx
arm_cortex-a9_vfpv3-d16    armv7   mvebu
arm_cortex-a15_neon-vfpv4  armv7   ipq806x
aarch64_cortex-a53         aarch64 filogic
aarch64_cortex-a72         aarch64 bcm2711: Raspberry Pi 4
aarch64_generic            aarch64 rockchip, armsr
x86_64                     x86_64  PCs and virtual machines"

# The architectures that the binary of a target serves.
architectures_of() { awk -v target="$1" '$2 == target { print $1 }' <<<"$ARCHITECTURES"; }
