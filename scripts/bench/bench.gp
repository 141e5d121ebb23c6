# SPDX-License-Identifier: GPL-2.0-only
# The plots of make bench: gnuplot -e "dir='...'" bench.gp draws dir/bench-*.svg from dir/bench-*.dat (bench.py plots).
# A light ground of their own makes them readable on a dark page as well.
ground = "#f6f8fa"
ink = "#24292f"
blue = "#0969da"
orange = "#bc4c00"
grey = "#8c959f"
set encoding utf8
set border 3 lc rgb ink
set tics nomirror textcolor rgb ink
set xtics scale 0
set grid ytics lc rgb "#d0d7de" lt 1
set style fill solid 1 noborder
set boxwidth 0.55
set key outside right center textcolor rgb ink
set yrange [0:*]

set terminal svg size 720,340 font "sans-serif,13" background ground
set output dir."/bench-posted-pair.svg"
set title "A posted pair (INV + SYNC), from taking the lock to seeing CREADR" textcolor rgb ink
set ylabel "instructions" textcolor rgb ink
set xrange [-0.6:2.6]
set offsets 0, 0, graph 0.1, 0
# The whole bar is EL2's, and the host's part is drawn over it.
plot dir."/bench-posted-pair.dat" using 0:4:xtic(1) with boxes title "EL2" lc rgb orange, \
     "" using 0:2 with boxes title "host" lc rgb grey, \
     "" using 0:4:5 with labels offset 0,0.8 textcolor rgb ink notitle

set output dir."/bench-mapd-scaling.svg"
set title "MAPD and MAPD(V=0) of a device" textcolor rgb ink
set xlabel "devices mapped" textcolor rgb ink
set logscale x
set xrange [0.8:80000]
set xtics ("1" 1, "100" 100, "1,000" 1000, "10,000" 10000, "60,000" 60000) scale 1
plot dir."/bench-mapd-scaling.dat" using 1:4 with linespoints title "reference" lw 2 pt 9 lc rgb orange, \
     "" using 1:3 with linespoints title "protected" lw 2 pt 7 lc rgb blue, \
     "" using 1:2 with linespoints title "direct" lw 2 pt 5 lc rgb grey

set output dir."/bench-activate.svg"
set multiplot layout 1,2
unset logscale x
unset key
set xtics autofreq scale 0
set xrange [-0.6:3.6]
set xlabel "devices mapped before the hand-over"
set title "Hand-over: interrupts off" textcolor rgb ink
set yrange [0:22000<*]
set arrow 1 from graph 0, first 20000 to graph 1, first 20000 nohead lc rgb orange dt 2
set label 1 "target" at graph 0.02, first 20800 textcolor rgb orange
plot dir."/bench-activate.dat" using 0:2:xtic(1) with boxes lc rgb blue, \
     "" using 0:2:3 with labels offset 0,0.8 textcolor rgb ink
unset arrow 1
unset label 1
set yrange [0:*]
set title "Hand-over: in all" textcolor rgb ink
set ylabel "millions of instructions"
plot dir."/bench-activate.dat" using 0:($4 / 1e6):xtic(1) with boxes lc rgb grey, \
     "" using 0:($4 / 1e6):(sprintf("%.2f", $4 / 1e6)) with labels offset 0,0.8 textcolor rgb ink
unset multiplot
