/// Print quality of a code, after ISO/IEC 15415 (matrix codes) and ISO/IEC 15416 (linear codes).
///
/// A relative grade: the standards ask for a calibrated reflectance, a given light and aperture, and for scans of the
/// code alone; here reflectance is the picture's grey, 255 for all light. So grades of one camera and light can be
/// compared with each other and watched over time; they are no verifier's report. Each figure says what it estimates.
package struct CodeGrade: Equatable, Sendable {
    /// One figure of the standard.
    package struct Parameter: Equatable, Sendable {
        /// Name in the standard; example "symbol contrast".
        package let name: String
        /// Measured value as the standard defines it: a share from 0 to 1.
        package let value: Double
        /// 4 (A) to 0 (F).
        package let grade: Double
    }

    package let parameters: [Parameter]

    /// The lowest of the parameters' grades; 0 where nothing could be measured.
    package var overall: Double { parameters.map(\.grade).min() ?? 0 }

    /// Letter of a grade: A from 3.5, B from 2.5, C from 1.5, D from 0.5, else F (ISO/IEC 15416, table 3).
    package static func letter(_ grade: Double) -> String {
        switch grade {
        case 3.5...: "A"
        case 2.5...: "B"
        case 1.5...: "C"
        case 0.5...: "D"
        default: "F"
        }
    }

    /// Lowest grade that a letter stands for; nil where it is none.
    package static func lowest(of letter: String) -> Double? {
        switch letter {
        case "A": 3.5
        case "B": 2.5
        case "C": 1.5
        case "D": 0.5
        default: nil
        }
    }

    /// Grades the code in the picture in which it was read; nil where it cannot be measured: of a matrix code whose
    /// modules the reader does not tell, or of a code that lies partly outside.
    package static func grade(_ code: ReadCode, in picture: Picture) -> CodeGrade? {
        guard code.corners.count == 4 else { return nil }
        let grey = CodeView(picture)
        let parameters =
            code.symbology.isMatrix
            ? MatrixGrade(code, grey)?.parameters : LinearGrade.parameters(of: code, grey)
        return parameters.map(CodeGrade.init(parameters:))
    }
}

extension CodeGrade.Parameter {
    /// A value that is the better the higher it is: 4 from the first limit, 3 from the second and so on.
    static func rising(_ name: String, _ value: Double, _ limits: [Double]) -> CodeGrade.Parameter {
        CodeGrade.Parameter(name: name, value: value, grade: Double(limits.filter { value >= $0 }.count))
    }

    /// A value that is the better the lower it is.
    static func falling(_ name: String, _ value: Double, _ limits: [Double]) -> CodeGrade.Parameter {
        CodeGrade.Parameter(name: name, value: value, grade: Double(limits.filter { value <= $0 }.count))
    }

    /// ISO/IEC 15416, table 1; the same in ISO/IEC 15415, 7.8.2.
    static func symbolContrast(_ value: Double) -> CodeGrade.Parameter {
        rising("symbol contrast", value, [0.7, 0.55, 0.4, 0.2])
    }
}

/// What is measured of a matrix code.
struct MatrixGrade {
    let parameters: [CodeGrade.Parameter]

    init?(_ code: ReadCode, _ view: CodeView) {
        guard let modules = code.modules, modules.columns >= 8, modules.rows >= 8 else { return nil }
        // Readers do not agree on the order of a mirrored code's corners: the one that fits the modules counts.
        let seen = [[0, 1, 2, 3], [0, 3, 2, 1]].compactMap { order in
            Seen(code, corners: order.map { code.corners[$0] }, modules, view)
        }
        guard let seen = seen.max(by: { $0.agreement < $1.agreement }) else { return nil }
        var parameters: [CodeGrade.Parameter] = [
            .symbolContrast(seen.contrast),
            // ISO/IEC 15415, 7.8.4, weighs modules by the codewords that they belong to; here, where codewords are not
            // known, the level counts that all but two hundredths of the modules reach, wrong ones reaching none.
            .rising("modulation", seen.margins.sorted()[seen.margins.count / 50], [0.5, 0.4, 0.3, 0.2]),
            .falling("axial nonuniformity", seen.axialNonuniformity, [0.06, 0.08, 0.1, 0.12]),
        ]
        if let damage = Self.patternDamage(code.symbology, seen.isDark, modules.columns, modules.rows) {
            parameters.append(.falling("fixed pattern damage", damage, [0, 0.09, 0.13, 0.17]))
        }
        if let unused = code.unusedErrorCorrection {
            parameters.append(.rising("unused error correction", unused, [0.62, 0.5, 0.37, 0.25]))
        }
        self.parameters = parameters
    }

    /// The modules as the picture shows them.
    private struct Seen {
        let contrast: Double
        let axialNonuniformity: Double
        /// How far each module is on its own side of the threshold, 0 to 1; below 0 on the wrong side counts as 0.
        let margins: [Double]
        let isDark: [Bool]

        var agreement: Double { margins.reduce(0, +) }

        init?(_ code: ReadCode, corners: [PicturePoint], _ modules: ReadCode.Modules, _ view: CodeView) {
            guard let grid = ModuleGrid(corners, columns: modules.columns, rows: modules.rows) else { return nil }
            var levels: [Double] = []
            for row in 0..<modules.rows {
                for column in 0..<modules.columns {
                    guard let level = grid.level(view, column: column, row: row) else { return nil }
                    levels.append(code.isInverted ? 1 - level : level)
                }
            }
            let (low, high) = (levels.min() ?? 0, levels.max() ?? 0)
            let (contrast, threshold) = (high - low, (high + low) / 2)
            guard contrast > 0 else { return nil }
            self.contrast = contrast
            axialNonuniformity = grid.axialNonuniformity
            isDark = levels.map { $0 < threshold }
            margins = zip(levels, modules.isDark).map { level, isDark in
                max(0, (isDark ? threshold - level : level - threshold) * 2 / contrast)
            }
        }
    }

    /// Share of wrong modules in the patterns that do not depend on the content: the solid and the broken edges of
    /// Data Matrix, the three finder patterns of QR Code; nil of other symbologies. Limits by ISO/IEC 15415, table
    /// M.1, which the finder patterns of QR Code are held to as well.
    private static func patternDamage(_ symbology: Symbology, _ isDark: [Bool], _ columns: Int, _ rows: Int) -> Double?
    {
        var (wrong, total) = (0, 0)
        func check(_ column: Int, _ row: Int, _ expected: Bool) {
            total += 1
            if isDark[row * columns + column] != expected { wrong += 1 }
        }
        switch symbology {
        case .dataMatrix:
            for row in 0..<rows {
                check(0, row, true)
                check(columns - 1, row, (rows - 1 - row) % 2 == 0)
            }
            for column in 1..<columns - 1 {
                check(column, rows - 1, true)
                check(column, 0, column % 2 == 0)
            }
        case .qrCode:
            guard columns >= 21, rows == columns else { return nil }
            for (left, top) in [(0, 0), (columns - 7, 0), (0, rows - 7)] {
                for y in 0..<7 {
                    for x in 0..<7 {
                        let ring = max(abs(x - 3), abs(y - 3))
                        check(left + x, top + y, ring != 2)
                    }
                }
            }
        default: return nil
        }
        return Double(wrong) / Double(total)
    }
}

/// Where the modules of a matrix code lie: the perspective picture of a rectangle by its corners (Heckbert 1989, 2.2.3).
struct ModuleGrid {
    private let columns: Int
    private let rows: Int
    private let a, b, c, d, e, f, g, h: Double
    /// Difference of the modules' mean width and height in the picture by their mean (ISO/IEC 15415, 7.8.6).
    let axialNonuniformity: Double
    /// Half the side of the square that is averaged for one module, pixels.
    private let reach: Int

    init?(_ corners: [PicturePoint], columns: Int, rows: Int) {
        let x = corners.map { Double($0.x) }
        let y = corners.map { Double($0.y) }
        let (dx1, dx2, sx) = (x[1] - x[2], x[3] - x[2], x[0] - x[1] + x[2] - x[3])
        let (dy1, dy2, sy) = (y[1] - y[2], y[3] - y[2], y[0] - y[1] + y[2] - y[3])
        let determinant = dx1 * dy2 - dx2 * dy1
        guard abs(determinant) > 16 else { return nil }
        g = (sx * dy2 - dx2 * sy) / determinant
        h = (dx1 * sy - sx * dy1) / determinant
        (a, b, c) = (x[1] - x[0] + g * x[1], x[3] - x[0] + h * x[3], x[0])
        (d, e, f) = (y[1] - y[0] + g * y[1], y[3] - y[0] + h * y[3], y[0])
        func side(_ from: Int, _ to: Int) -> Double {
            ((x[to] - x[from]) * (x[to] - x[from]) + (y[to] - y[from]) * (y[to] - y[from])).squareRoot()
        }
        let width = (side(0, 1) + side(3, 2)) / 2 / Double(columns)
        let height = (side(0, 3) + side(1, 2)) / 2 / Double(rows)
        guard width > 0, height > 0 else { return nil }
        axialNonuniformity = abs(width - height) / ((width + height) / 2)
        reach = Int(min(width, height) * 0.2)
        (self.columns, self.rows) = (columns, rows)
    }

    /// Mean grey in the middle of a module, 0 dark to 1 light; nil outside of the picture.
    func level(_ view: CodeView, column: Int, row: Int) -> Double? {
        let (u, v) = ((Double(column) + 0.5) / Double(columns), (Double(row) + 0.5) / Double(rows))
        let scale = g * u + h * v + 1
        guard abs(scale) > 1e-9 else { return nil }
        let (x, y) = ((a * u + b * v + c) / scale, (d * u + e * v + f) / scale)
        guard x >= 0, y >= 0, x < Double(view.width), y < Double(view.height) else { return nil }
        var (sum, count) = (0, 0)
        for at in max(0, Int(y) - reach)...min(view.height - 1, Int(y) + reach) {
            for along in max(0, Int(x) - reach)...min(view.width - 1, Int(x) + reach) {
                sum += Int(view.pixels[at * view.width + along])
                count += 1
            }
        }
        return Double(sum) / Double(count) / 255
    }
}
