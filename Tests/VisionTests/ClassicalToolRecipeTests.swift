import Testing
import Vision

/// The alignment, blob, caliper and colour tools as recipes write them.
@Suite struct ClassicalToolRecipeTests {
    private func recipe(_ tools: String, alignment: String = "") -> String {
        """
        recipe: lid
        revision: "1"
        station: vision-1
        product: lid
        control_plan: CP-1
        \(alignment)
        scale: {mm_per_pixel: 0.1, calibration: glass scale}
        tools:
        \(tools)
        limits: {fail_at: 1, uncertain_at: 0.8}
        reaction: {reject_uncertain: true}
        """
    }

    @Test("RES-12: a recipe of all classical tools judges a part where it lies")
    func aRecipeOfAllToolsJudges() throws {
        let folder = try TemporaryFolder()
        var canvas = Canvas(200, 160, 40)
        canvas.fill(x: 60, y: 50, width: 80, height: 60, 200)
        canvas.fill(x: 80, y: 70, width: 12, height: 12, 40)
        let master = try canvas.picture
        try Files.writeAtomically(try PictureCodec.encodePNG(master), to: "\(folder.path)/master.png")
        let text = recipe(
            """
              - name: place
                alignment: {template: master.png, box: [50, 40, 100, 80], margin: 20}
              - name: hole
                blobs: {polarity: dark, max_area: 200, max_count: 1, min_area: 20}
                region: lid
              - name: length
                caliper: {measure: width, edge: rising, second: falling, nominal: 8, plus: 0.1}
                region: whole
            """,
            alignment: """
                alignment: {template: master.png, box: [50, 40, 100, 80], margin: 20}
                regions: {lid: [64, 54, 70, 50], whole: [40, 86, 120, 20]}
                """
        )
        let judge = try Judge(recipe: Recipe.parse(text: text, file: "lid.yaml"), directory: folder.path)
        for (dx, dy) in [(0, 0), (9, -7), (-13, 15)] {
            var moved = Canvas(200, 160, 40)
            moved.fill(x: 60 + dx, y: 50 + dy, width: 80, height: 60, 200)
            moved.fill(x: 80 + dx, y: 70 + dy, width: 12, height: 12, 40)
            let finding = try judge.judge(moved.picture, sourceName: "1.png")
            #expect(finding.verdict == .pass, "\((dx, dy)): \(finding.rejectionReason)")
            let values = Dictionary(
                finding.features.map { ("\($0.tool) \($0.feature.name)", $0.feature.value) },
                uniquingKeysWith: { first, _ in first }
            )
            #expect(values["hole largest area"].map { abs($0 - 1.44) < 1e-9 } == true)
            #expect(values["length width"].map { abs($0 - 8) < 0.005 } == true)
            #expect(values["place x"].map { abs($0 - 0.1 * Double(dx)) < 0.01 } == true)
        }
        let empty = try judge.judge(Canvas(200, 160, 40).picture, sourceName: "2.png")
        #expect(empty.verdict == .fail)
        #expect(empty.defects.map(\.found.category) == [.misplaced])
    }

    @Test func mistakesAreNamedByKey() throws {
        let text = recipe(
            """
              - name: a
                blobs: {threshold: loud, max_area: 5, min_count: 3, max_count: 2}
              - name: b
                caliper: {measure: width, nominal: 5, plus: 0, lines: 0}
              - name: c
                caliper: {measure: diameter, nominal: 5, plus: 1, lines: 4}
              - name: d
                colour: {reference: [300, 2], min_share: 0.5, max_share: 0.4}
            """,
            alignment: "alignment: {template: ../master.png, max_rotation: 200, turn: 3}"
        )
        do {
            _ = try Recipe.parse(text: text, file: "lid.yaml")
            Issue.record("no mistake was found")
        } catch {
            let keys = Set(error.mistakes.map { $0.key.split(separator: ".").last.map(String.init) ?? "" })
            #expect(
                keys == [
                    "template", "max_rotation", "turn", "threshold", "max_area", "max_count", "plus", "lines",
                    "reference", "delta_e", "max_share",
                ]
            )
        }
    }
}
