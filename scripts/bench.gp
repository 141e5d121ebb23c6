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
set grid ytics lc rgb "#d0d7de" lt 1
set key textcolor rgb ink noopaque
set format y "%'.0f"
set style fill solid 1 noborder

set terminal svg size 720,360 font "sans-serif,13" background ground
set output dir."/bench-posted-pair.svg"
set title "A posted pair (INV + SYNC), from taking the lock to seeing CREADR" textcolor rgb ink
set ylabel "instructions" textcolor rgb ink
set style data histograms
set style histogram rowstacked
set boxwidth 0.5
set key top left reverse Left
set yrange [0:*]
set offsets graph 0, 0, graph 0.1, 0
plot dir."/bench-posted-pair.dat" using 2:xtic(1) title "host" lc rgb grey, \
     "" using 3 title "EL2" lc rgb orange, \
     "" using 0:4:(sprintf("%'.0f", $4)) with labels offset 0,0.8 textcolor rgb ink notitle

set output dir."/bench-mapd-scaling.svg"
set title "MAPD and MAPD(V=0) of a device, over the number of devices that are mapped" textcolor rgb ink
set xlabel "devices mapped" textcolor rgb ink
set logscale x
set xrange [0.8:80000]
set xtics ("1" 1, "100" 100, "1,000" 1000, "10,000" 10000, "60,000" 60000)
set style data linespoints
set offsets 0, 0, graph 0.25, 0
set key top left
plot dir."/bench-mapd-scaling.dat" using 1:4 title "reference" lw 2 pt 9 lc rgb orange, \
     "" using 1:3 title "protected" lw 2 pt 7 lc rgb blue, \
     "" using 1:2 title "direct" lw 2 pt 5 lc rgb grey

set terminal svg size 720,320 font "sans-serif,13" background ground
set output dir."/bench-activate.svg"
set multiplot layout 1,2
unset logscale x
set xrange [-0.5:3.5]
set xtics autofreq
set xlabel "devices mapped before the hand-over"
set style data histograms
set style histogram clustered gap 1
set offsets 0, 0, graph 0.1, 0
unset key
set title "interrupts off" textcolor rgb ink
set yrange [0:21000]
set arrow 1 from graph 0, first 20000 to graph 1, first 20000 nohead lc rgb orange dt 2
set label 1 "target" at graph 0.02, first 19000 textcolor rgb orange
plot dir."/bench-activate.dat" using 2:xtic(1) lc rgb blue, \
     "" using 0:2:(sprintf("%'.0f", $2)) with labels offset 0,0.8 textcolor rgb ink
unset arrow 1
unset label 1
set yrange [0:*]
set title "in all" textcolor rgb ink
plot dir."/bench-activate.dat" using 4:xtic(1) lc rgb grey, \
     "" using 0:4:(sprintf("%'.0f", $4)) with labels offset 0,0.8 textcolor rgb ink
unset multiplot
