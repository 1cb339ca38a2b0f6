// The conformances of every topic's record: one line per topic, one switch line per kind.

extension FrameRecord: TopicRecord {}

extension FrameRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .triggerSessionStarted: "trigger_session_started"
        case .frameCaptured: "frame_captured"
        case .frameMissed: "frame_missed"
        case .evidenceStored: "evidence_stored"
        case .evidenceNotStored: "evidence_not_stored"
        case .sourceExhausted: "source_exhausted"
        case .cameraLost: "camera_lost"
        case .cameraReturned: "camera_returned"
        case .pictureQualityDegraded: "picture_quality_degraded"
        case .pictureQualityRestored: "picture_quality_restored"
        case .clockSkewEstimated: "clock_skew_estimated"
        case .evidenceExpired: "evidence_expired"
        case .processImageStored: "process_image_stored"
        case .cameraConfigured: "camera_configured"
        case .frameRepeated: "frame_repeated"
        case .frameUnmatched: "frame_unmatched"
        case nil: "unknown"
        }
    }
}

extension InspectionRecord: TopicRecord {}

extension InspectionRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .contextAdopted: "context_adopted"
        case .recipeActivated: "recipe_activated"
        case .recipeRefused: "recipe_refused"
        case .partInspected: "part_inspected"
        case .inspectionMissed: "inspection_missed"
        case .rejectNotCommanded: "reject_not_commanded"
        case .holdPlaced: "hold_placed"
        case .sourceInspected: "source_inspected"
        case .recipeReleaseAdopted: "recipe_release_adopted"
        case .recipeRetirementAdopted: "recipe_retirement_adopted"
        case .featuresMeasured: "features_measured"
        case .stopRequested: "stop_requested"
        case nil: "unknown"
        }
    }
}

extension ProductionRecord: TopicRecord {}

extension ProductionRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .peerMessageAdopted: "peer_message_adopted"
        case .shiftStarted: "shift_started"
        case .orderReleased: "order_released"
        case .orderStarted: "order_started"
        case .orderCompleted: "order_completed"
        case .changeoverStarted: "changeover_started"
        case .changeoverCompleted: "changeover_completed"
        case .batchClosed: "batch_closed"
        case .materialLotLoaded: "material_lot_loaded"
        case .contextChanged: "context_changed"
        case nil: "unknown"
        }
    }
}

extension MaterialRecord: TopicRecord {}

extension MaterialRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .peerMessageAdopted: "peer_message_adopted"
        case .materialLotReceived: "material_lot_received"
        case .shipmentDispatched: "shipment_dispatched"
        case nil: "unknown"
        }
    }
}

extension DeliveryRecord: TopicRecord {}

extension DeliveryRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .deliveryIntended: "delivery_intended"
        case .deliveryConfirmed: "delivery_confirmed"
        case .deliveryRefused: "delivery_refused"
        case .deliveryRedriven: "delivery_redriven"
        case .deliverySkipped: "delivery_skipped"
        case .peerLost: "peer_lost"
        case .peerRestored: "peer_restored"
        case .partsCounted: "parts_counted"
        case nil: "unknown"
        }
    }
}

extension AlarmRecord: TopicRecord {}

extension AlarmRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .alarmRaised: "alarm_raised"
        case .alarmReturnedToNormal: "alarm_returned_to_normal"
        case nil: "unknown"
        }
    }
}

extension ParkedRecord: TopicRecord {}

extension ParkedRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .recordParked: "record_parked"
        case .recordRedriven: "record_redriven"
        case .recordDiscarded: "record_discarded"
        case nil: "unknown"
        }
    }
}

extension DecisionRecord: TopicRecord {}

extension DecisionRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .holdPlacementOrdered: "hold_placement_ordered"
        case .holdReleased: "hold_released"
        case .dispositionDecided: "disposition_decided"
        case .verdictOverridden: "verdict_overridden"
        case .pictureLabelled: "picture_labelled"
        case .recordCorrected: "record_corrected"
        case .orderEntered: "order_entered"
        case .orderEnded: "order_ended"
        case .changeoverConfirmed: "changeover_confirmed"
        case .stopClearanceOrdered: "stop_clearance_ordered"
        case .recipeSubmitted: "recipe_submitted"
        case .recipeTested: "recipe_tested"
        case .recipeApproved: "recipe_approved"
        case .recipeReturned: "recipe_returned"
        case .recipeReleased: "recipe_released"
        case .recipeRetired: "recipe_retired"
        case .controlPlanApproved: "control_plan_approved"
        case .capabilityStudyApproved: "capability_study_approved"
        case .modelTrained: "model_trained"
        case .modelApproved: "model_approved"
        case .performanceReviewed: "performance_reviewed"
        case .autoRejectUnlocked: "auto_reject_unlocked"
        case .autoRejectLocked: "auto_reject_locked"
        case .bypassApproved: "bypass_approved"
        case .alarmAcknowledged: "alarm_acknowledged"
        case .alarmShelved: "alarm_shelved"
        case .alarmUnshelvingOrdered: "alarm_unshelving_ordered"
        case .alarmRemovedFromService: "alarm_removed_from_service"
        case .alarmReturnedToService: "alarm_returned_to_service"
        case .deliveryRedriveRequested: "delivery_redrive_requested"
        case .deliverySkipRequested: "delivery_skip_requested"
        case .redriveRequested: "redrive_requested"
        case .discardRequested: "discard_requested"
        case .legalHoldPlaced: "legal_hold_placed"
        case .legalHoldLifted: "legal_hold_lifted"
        case .recallOpened: "recall_opened"
        case .recallClosed: "recall_closed"
        case .auditTrailReviewed: "audit_trail_reviewed"
        case .acceptanceReportSigned: "acceptance_report_signed"
        case .settingsChanged: "settings_changed"
        case nil: "unknown"
        }
    }
}

extension AccessRecord: TopicRecord {}

extension AccessRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .personRegistered: "person_registered"
        case .personNameChanged: "person_name_changed"
        case .personalKeyErased: "personal_key_erased"
        case .identityVerified: "identity_verified"
        case .policyAcknowledged: "policy_acknowledged"
        case .qualificationRecorded: "qualification_recorded"
        case .roleGranted: "role_granted"
        case .roleRevoked: "role_revoked"
        case .credentialIssued: "credential_issued"
        case .credentialRevoked: "credential_revoked"
        case .credentialsReviewed: "credentials_reviewed"
        case .signedIn: "signed_in"
        case .signInFailed: "sign_in_failed"
        case .signedOut: "signed_out"
        case .accountLocked: "account_locked"
        case .accountUnlocked: "account_unlocked"
        case .accessDenied: "access_denied"
        case .vendorAccessOpened: "vendor_access_opened"
        case .vendorAccessClosed: "vendor_access_closed"
        case .deviceEnrolled: "device_enrolled"
        case .deviceRemoved: "device_removed"
        case .networkPathsReviewed: "network_paths_reviewed"
        case .recordsExported: "records_exported"
        case nil: "unknown"
        }
    }
}

extension LedgerRecord: TopicRecord {}

extension LedgerRecord.Event: TopicEvent {
    package static func takeover(_ event: WriterTookOver) -> Self { Self(.writerTookOver(event)) }

    package var kindName: String {
        switch kind {
        case .writerTookOver: "writer_took_over"
        case .segmentSealed: "segment_sealed"
        case .sealAnchored: "seal_anchored"
        case .sealKeyRotated: "seal_key_rotated"
        case .integrityVerified: "integrity_verified"
        case .segmentArchived: "segment_archived"
        case .modelRebuilt: "model_rebuilt"
        case .modelSwitched: "model_switched"
        case .shiftReportClosed: "shift_report_closed"
        case .shiftReportCorrected: "shift_report_corrected"
        case nil: "unknown"
        }
    }
}
