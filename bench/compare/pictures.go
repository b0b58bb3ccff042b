package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// colours are those of the libraries, in their order: all can be told from white
// and from black. Black itself becomes what the reader's page is written in.
var colours = []color.RGBA{
	{0xd9, 0x3b, 0x3b, 255}, {0x3a, 0x80, 0xd2, 255}, {0x2f, 0x9e, 0x58, 255}, {0xb0, 0x6a, 0xd4, 255},
	{0xc9, 0x86, 0x1a, 255}, {0x2a, 0x9d, 0xa8, 255}, {0x8a, 0x8a, 0x8a, 255},
}

// style has the ink follow the reader's page, light or dark.
const style = `<style>svg{color:#1f2328;fill:currentColor}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>`

const (
	width  = 18 * vg.Centimeter
	height = 9 * vg.Centimeter
)

func newPlot(title, x, y string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.BackgroundColor = nil // the page's
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 2 * vg.Millimeter
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs = true, true, 3*vg.Millimeter
	return p
}

// curve is a line in a library's colour, thicker if it is ours.
func curve(at int, points plotter.XYs) (*plotter.Line, error) {
	c, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	c.Color, c.Width = colours[at], vg.Points(1.2)
	if at == 0 {
		c.Width = vg.Points(2.4)
	}
	return c, nil
}

// add draws a curve and its legend. Those of the peers are dashed, each in its own
// way, so that they can be told where one lies on another.
func add(p *plot.Plot, at int, points plotter.XYs) error {
	c, err := curve(at, points)
	if err != nil {
		return err
	}
	if at > 0 {
		c.Dashes = []vg.Length{vg.Points(float64(2 + 2*at)), vg.Points(float64(1 + at))}
	}
	p.Add(c)
	p.Legend.Add(libraries[at].name, c)
	return nil
}

// waitPicture has the curves of the libraries above each other, and that of requests
// without a token at the bottom: the longest wait in each twentieth of a second.
func waitPicture(all [][]wait, bare []wait) ([]byte, error) {
	const (
		bin  = 50 * time.Millisecond
		band = 520.0
	)
	p := newPlot("What requests wait for the library, when a refresh takes 300 ms", "seconds; each point is the longest wait in 50 ms", "")
	p.Y.Padding = 0
	var ticks plot.ConstantTicks
	bottom := 0.0
	draw := func(name string, at int, requests []wait) error {
		points := make(plotter.XYs, int(requests[len(requests)-1].at/bin)+1)
		for n := range points {
			points[n] = plotter.XY{X: (time.Duration(n) * bin).Seconds(), Y: bottom}
		}
		for _, w := range requests {
			n := min(int(w.at/bin), len(points)-1)
			points[n].Y = max(points[n].Y, bottom+milliseconds(w.took))
		}
		c, err := curve(at, points)
		if err != nil {
			return err
		}
		p.Add(c)
		const room = "\u00a0\u00a0\u00a0" // a reader's font may be wider
		ticks = append(ticks, plot.Tick{Value: bottom, Label: name + room}, plot.Tick{Value: bottom + 300, Label: "300 ms" + room})
		bottom += band
		return nil
	}
	if err := draw("no token", len(colours)-1, bare); err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i] == nil {
			continue
		}
		if err := draw(libraries[i].name, i, all[i]); err != nil {
			return nil, err
		}
	}
	p.Y.Min, p.Y.Max, p.Y.Tick.Marker = 0, max(bottom, p.Y.Max), ticks
	return plotted(p)
}

// dayPicture has the session calls of each library, added up.
func dayPicture(made [][]call) ([]byte, error) {
	p := newPlot("Session calls in a day of 3-minute tokens, a request every 10 s", "hours", "calls so far")
	logarithmic(p)
	for i, calls := range made {
		points := make(plotter.XYs, 0, 150)
		for n := 0; n < len(calls); n += max(1, len(calls)/150) {
			points = append(points, plotter.XY{X: calls[n].Hours(), Y: float64(n + 1)})
		}
		points = append(points, plotter.XY{X: calls[len(calls)-1].Hours(), Y: float64(len(calls))})
		if err := add(p, i, points); err != nil {
			return nil, err
		}
	}
	var ticks plot.ConstantTicks
	for hour := 0.0; hour <= p.X.Max+0.1; hour += 3 {
		ticks = append(ticks, plot.Tick{Value: hour, Label: fmt.Sprint(hour)})
	}
	p.X.Tick.Marker = ticks
	p.Legend.Top, p.Legend.XOffs = false, width*2/3
	return plotted(p)
}

// fleetPicture has the sign-ins of fleets of growing size.
func fleetPicture(sizes []int, calls [][]int) ([]byte, error) {
	p := newPlot("Sign-ins of a fleet that starts at once, on one account", "sources", "sign-ins")
	logarithmic(p)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	for i := range calls {
		if calls[i] == nil {
			continue
		}
		points := make(plotter.XYs, len(sizes))
		for n, size := range sizes {
			points[n] = plotter.XY{X: float64(size), Y: float64(calls[i][n])}
		}
		if err := add(p, i, points); err != nil {
			return nil, err
		}
	}
	return plotted(p)
}

func logarithmic(p *plot.Plot) {
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Min = 0.9
}

func plotted(p *plot.Plot) ([]byte, error) {
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), 3*vg.Millimeter, -5*vg.Millimeter, 0, 0)) // a reader's font may be wider
	return drawn(canvas)
}

// drawn is the picture as a file, in the ink of the page that it is on.
func drawn(canvas *vgsvg.Canvas) ([]byte, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	picture := bytes.ReplaceAll(b.Bytes(), []byte("stroke:#000000"), []byte("stroke:currentColor"))
	picture = bytes.ReplaceAll(picture, []byte("fill:#000000"), []byte("fill:currentColor"))
	picture = bytes.ReplaceAll(picture, []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,sans-serif"))
	end := bytes.Index(picture, []byte("<g "))
	return append(picture[:end:end], append([]byte(style+"\n"), picture[end:]...)...), nil
}

func save(directory, name string, picture []byte) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, name), picture, 0o644)
}
